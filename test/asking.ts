// Requests as anyone could send them, with all that comes back: for tests of what is refused, and of what the answer tells.
import { print, type DocumentNode } from 'graphql';
import { createClient } from 'graphql-ws';
import type { World } from './harness.ts';

export interface Answer {
  status: number;
  /** As in the header `x-request-id`. */
  requestId: string | null;
  data: Record<string, unknown> | null | undefined;
  errors: { message: string; code: string; path: string }[];
  /** What it left out because roles hide it. */
  hidden: { path: string[]; group: string; reason: string }[];
  /** The answer as it came, without what it cost. */
  text: string;
}

/** Sends an operation over HTTP. Without a token: signed out. */
export async function post(world: World, token: string | undefined, query: string | DocumentNode, variables: object = {}): Promise<Answer> {
  const authorization: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const body = JSON.stringify({ query: typeof query === 'string' ? query : print(query), variables });
  const response = await fetch(world.url, { method: 'POST', headers: { 'content-type': 'application/json', ...authorization }, body });
  const text = (await response.text()).replace(/,?"cost":\{"requested":[^}]*\}/, '').replace(/,"extensions":\{\}/, '');
  const { data, errors = [], extensions } = JSON.parse(text) as { data?: Answer['data']; errors?: RawError[]; extensions?: Pick<Answer, 'hidden'> };
  return {
    status: response.status,
    requestId: response.headers.get('x-request-id'),
    data,
    hidden: extensions?.hidden ?? [],
    errors: errors.map(shown),
    text,
  };
}

interface RawError {
  message: string;
  path?: (string | number)[];
  extensions: { code: string };
}

const shown = ({ message, path = [], extensions }: RawError): Answer['errors'][number] => ({ message, code: extensions.code, path: path.join('.') });

/** Sends an operation over a WebSocket, as it is. @returns its first event, with errors; or how the socket was closed, as one */
export async function firstEvent(
  world: World,
  accessToken: string,
  query: string,
  variables: Record<string, unknown> = {},
): Promise<Omit<Answer, 'status' | 'requestId'>> {
  const client = createClient({ url: world.url.replace('http', 'ws'), connectionParams: { accessToken }, retryAttempts: 0 });
  try {
    const { value } = (await client.iterate({ query, variables }).next()) as {
      value: { data?: Answer['data']; errors?: RawError[]; extensions?: Pick<Answer, 'hidden'> };
    };
    return { data: value.data, hidden: value.extensions?.hidden ?? [], errors: (value.errors ?? []).map(shown), text: JSON.stringify(value) };
  } catch (error) {
    const errors = Array.isArray(error) ? (error as RawError[]).map(shown) : [{ message: '', path: '', code: `closed ${(error as { code?: number }).code}` }];
    return { data: undefined, hidden: [], errors, text: JSON.stringify(errors) };
  } finally {
    await client.dispose();
  }
}

/** The same for its errors alone. @returns their codes, or how the socket was closed */
export async function postOverSocket(world: World, accessToken: string, query: string): Promise<(string | undefined)[]> {
  return (await firstEvent(world, accessToken, query)).errors.map(({ code }) => code);
}
