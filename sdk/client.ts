// A small typed client: queries and mutations over HTTP, subscriptions over WebSocket, one kind of error for both.
import { print, type DocumentNode } from 'graphql';
import { createClient as createSocket, type Client as Socket } from 'graphql-ws';

/** A document that knows its result and its variables: the generated ones are. */
export type Document<Result, Variables> = DocumentNode & { __apiType?: (variables: Variables) => Result };

interface AnswerError {
  message: string;
  extensions?: { code?: string; requestId?: string };
}

/** What the API answered with instead of a result. */
export class ReinstateError extends Error {
  constructor(
    message: string,
    /** Stable, made for programs; `NETWORK` when there was no answer at all. */
    readonly code: string,
    /** Names the request to the people who run the server. */
    readonly requestId: string | null,
    /** All errors of the answer; this one is the first. */
    readonly errors: readonly AnswerError[] = [],
  ) {
    super(message);
    this.name = 'ReinstateError';
  }
}

export interface ClientOptions {
  /** Of the GraphQL endpoint, as in `http://localhost:4000/graphql`. */
  url: string;
  accessToken?: string;
  /**
   * How many times in a row a lost WebSocket is opened again. Its subscriptions then go on by themselves, from the current
   * state: what changed meanwhile is seen as one change. Without it they end with a NETWORK error.
   */
  reconnects?: number;
  /** A WebSocket to use where the platform has none. */
  webSocket?: unknown;
}

export interface Client {
  /** @throws ReinstateError when the answer has errors; expected refusals come as `userErrors` in the result */
  request<Result, Variables>(document: Document<Result, Variables>, ...variables: Given<Variables>): Promise<Result>;
  /** Yields each event until the server completes it, or the loop is left. @throws ReinstateError when it ends with errors */
  subscribe<Result, Variables>(document: Document<Result, Variables>, ...variables: Given<Variables>): AsyncGenerator<Result, void>;
  /** Closes the WebSocket, if one was opened. */
  close(): Promise<void>;
}

type Given<Variables> = Variables extends Record<string, never> ? [variables?: Variables] : [variables: Variables];

export function createClient({ url, accessToken, reconnects = 0, webSocket }: ClientOptions): Client {
  let socket: Socket | undefined;
  const open = () =>
    (socket ??= createSocket({
      url: url.replace(/^http/, 'ws'),
      connectionParams: accessToken === undefined ? {} : { accessToken },
      retryAttempts: reconnects,
      // A platform tells of a lost connection by an error or by a close; without a token, trying again is no use.
      shouldRetry: (problem) => (problem as { code?: number }).code !== 4403,
      retryWait: (tried) => new Promise((resolve) => setTimeout(resolve, Math.min(100 * 2 ** tried, 5000) * (1 + Math.random()))),
      ...(webSocket === undefined ? {} : { webSocketImpl: webSocket }),
    }));
  return {
    async request<Result, Variables>(document: Document<Result, Variables>, ...[variables]: Given<Variables>) {
      const response = await fetch(url, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          accept: 'application/json',
          ...(accessToken === undefined ? {} : { authorization: `Bearer ${accessToken}` }),
        },
        body: JSON.stringify({ query: print(document), variables }),
      }).catch((error: Error) => {
        throw new ReinstateError(`No answer from ${url}: ${error.message}`, 'NETWORK', null);
      });
      const answer = (await response.json().catch(() => ({ errors: [{ message: `The answer is not JSON (HTTP ${response.status}).` }] }))) as Answer<Result>;
      return resultOf(answer, response.headers.get('x-request-id'));
    },
    async *subscribe<Result, Variables>(document: Document<Result, Variables>, ...[variables]: Given<Variables>) {
      const events = open().iterate<Result>({ query: print(document), variables: variables as Record<string, unknown> | undefined });
      try {
        for await (const event of events) yield resultOf(event as Answer<Result>, null);
      } catch (error) {
        throw asReinstateError(error);
      }
    },
    async close() {
      await socket?.dispose();
    },
  };
}

interface Answer<Result> {
  data?: Result | null;
  errors?: readonly AnswerError[];
}

function resultOf<Result>({ data, errors = [] }: Answer<Result>, requestId: string | null): Result {
  const [first] = errors;
  if (first) throw new ReinstateError(first.message, first.extensions?.code ?? 'UNKNOWN', requestId ?? first.extensions?.requestId ?? null, errors);
  return data as Result;
}

/** graphql-ws throws the errors of an answer as an array, and the close event of a lost connection. */
function asReinstateError(error: unknown): ReinstateError {
  if (error instanceof ReinstateError) return error;
  if (Array.isArray(error))
    return new ReinstateError(String(error[0]?.message), error[0]?.extensions?.code ?? 'UNKNOWN', error[0]?.extensions?.requestId ?? null, error);
  const { code, reason, message } = error as { code?: number; reason?: string; message?: string };
  if (code === 4401 || code === 4403) return new ReinstateError(reason || 'The access token is missing.', 'UNAUTHENTICATED', null);
  return new ReinstateError(`The connection was lost: ${reason || message || code}.`, 'NETWORK', null);
}
