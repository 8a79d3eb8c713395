// Requests as anyone could send them, with all that comes back: for tests of what is refused, and of what the answer tells.
import { print, type DocumentNode } from 'graphql';
import type { World } from './harness.ts';

export interface Answer {
  status: number;
  data: Record<string, unknown> | null | undefined;
  errors: { message: string; code: string; path: string }[];
  /** The answer as it came. */
  text: string;
}

/** Sends an operation over HTTP. Without a token: signed out. */
export async function post(world: World, token: string | undefined, query: string | DocumentNode, variables: object = {}): Promise<Answer> {
  const authorization: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const body = JSON.stringify({ query: typeof query === 'string' ? query : print(query), variables });
  const response = await fetch(world.url, { method: 'POST', headers: { 'content-type': 'application/json', ...authorization }, body });
  const text = await response.text();
  const { data, errors = [] } = JSON.parse(text) as { data?: Answer['data']; errors?: RawError[] };
  return { status: response.status, data, errors: errors.map(({ message, path = [], extensions }) => ({ message, code: extensions.code, path: path.join('.') })), text };
}

interface RawError {
  message: string;
  path?: (string | number)[];
  extensions: { code: string };
}
