// Subscriptions over WebSocket (graphql-transport-ws) around the same schema. The socket takes nothing but subscriptions,
// and its errors read exactly as they do over HTTP.
import type { IncomingMessage, Server } from 'node:http';
import { getOperationAST, GraphQLError, parse, subscribe, validate, type ExecutionArgs, type ExecutionResult, type GraphQLSchema } from 'graphql';
import { CloseCode, handleProtocols, type Context as Socket, type SubscribePayload } from 'graphql-ws';
import { useServer } from 'graphql-ws/use/ws';
import { WebSocketServer, type WebSocket } from 'ws';
import { present } from './api.ts';
import type { AccessClaims, App } from './domain/app.ts';
import { readAccessToken } from './domain/sessions.ts';
import { type Asked, checkBrackets, mostTokens } from './limits.ts';
import { inTime, Operation, requestInfo, type Running } from './operation.ts';
import type { PubSub } from './pubsub.ts';

const largestMessage = 64 * 1024;
const mostSubscriptions = 20;

type Extra = {
  socket: WebSocket;
  request: IncomingMessage;
  claims?: AccessClaims;
};

interface SocketOptions {
  app: App;
  pubsub: PubSub;
  schema: GraphQLSchema;
  http: Server;
  path: string;
  running: Running;
}

/** @returns what closes every socket with 1001 (going away) */
export function serveSockets({ app, pubsub, schema, http, path, running }: SocketOptions): () => Promise<void> {
  const sockets = new WebSocketServer({ server: http, path, maxPayload: largestMessage, handleProtocols });
  /** By operation: graphql-ws hands the arguments to some hooks, and the message to all. */
  const requestIds = new WeakMap<SubscribePayload, string>();
  const shown = (payload: SubscribePayload, errors: readonly unknown[]) => errors.map((error) => present(error, requestIds.get(payload)!, app.config));

  const server = useServer<Record<string, unknown>, Extra>(
    {
      connectionInitWaitTimeout: 5000,
      async onConnect({ connectionParams, extra }) {
        const token = tokenIn(connectionParams ?? {});
        if (token === undefined) return false; // 4403
        const claims = await readAccessToken(app, token);
        if (!claims) {
          extra.socket.close(CloseCode.Unauthorized, 'The access token is not valid, or has expired. Sign in again.');
          return false;
        }
        extra.claims = claims;
        return true;
      },
      async onSubscribe(socket, _id, payload) {
        const request = requestInfo(socket.extra.request, app.config);
        requestIds.set(payload, request.id);
        const checked = check(schema, socket, payload);
        if (Array.isArray(checked)) return checked;
        const operation = new Operation(app, pubsub, request, socket.extra.claims!);
        const refused = await operation.admit(checked).then(() => undefined, asErrors);
        if (refused) return refused;
        const { document, variables: variableValues } = checked;
        return { schema, document, operationName: payload.operationName, variableValues, contextValue: operation };
      },
      subscribe: (args) => running.track(inTime(app, () => run(args, running))),
      onNext: (_socket, _id, payload, _args, { errors, ...result }) => (errors ? { ...result, errors: shown(payload, errors) } : result),
      onError: (_socket, _id, payload, errors) => shown(payload, errors),
    },
    sockets,
    30_000,
  );
  return async () => server.dispose();
}

/** The token in the first message, under either name that clients use. */
function tokenIn(params: Record<string, unknown>): string | undefined {
  if (typeof params['accessToken'] === 'string') return params['accessToken'];
  const header = params['Authorization'] ?? params['authorization'];
  return typeof header === 'string' ? header.replace(/^Bearer +/i, '') : undefined;
}

function check(schema: GraphQLSchema, { subscriptions }: Socket, { query, operationName, variables }: SubscribePayload): Asked | GraphQLError[] {
  const fail = (code: string, message: string) => [new GraphQLError(message, { extensions: { code } })];
  if (Object.keys(subscriptions).length > mostSubscriptions)
    return fail('TOO_MANY_SUBSCRIPTIONS', `A connection carries ${mostSubscriptions} subscriptions at most. End one, or open a second connection.`);
  try {
    checkBrackets(query);
    const document = parse(query, { maxTokens: mostTokens });
    const faults = validate(schema, document);
    if (faults.length > 0) return faults.map((fault) => coded(fault, 'GRAPHQL_VALIDATION_FAILED'));
    const operation = getOperationAST(document, operationName);
    if (!operation) return fail('OPERATION_RESOLUTION_FAILURE', 'Name the operation that is meant in `operationName`.');
    if (operation.operation !== 'subscription')
      return fail('SUBSCRIPTIONS_ONLY', 'The WebSocket takes subscriptions only. Nothing was read or changed. Send queries and mutations over HTTP.');
    return { schema, document, operation, variables: variables ?? undefined };
  } catch (error) {
    if (!(error instanceof GraphQLError)) throw error;
    return [error.extensions['code'] ? error : coded(error, 'GRAPHQL_PARSE_FAILED')];
  }
}

/** Of what was thrown before the subscription began, in the form that `shown` presents. */
const asErrors = (error: unknown): GraphQLError[] => [
  error instanceof GraphQLError ? error : new GraphQLError((error as Error).message, { originalError: error as Error }),
];

const coded = (error: GraphQLError, code: string) =>
  new GraphQLError(error.message, {
    nodes: error.nodes,
    source: error.source,
    positions: error.positions,
    originalError: error.originalError,
    extensions: { code },
  });

/** Subscribes, and settles the operation after each of its results and at its end, however it ends. */
async function run(args: ExecutionArgs, running: Running): Promise<AsyncIterableIterator<ExecutionResult> | ExecutionResult> {
  const operation = args.contextValue as Operation;
  try {
    const results = await subscribe(args);
    if (Symbol.asyncIterator in results) {
      await operation.settle();
      return settling(results, operation, running);
    }
    await operation.close();
    return results;
  } catch (error) {
    await operation.finish();
    return { errors: [new GraphQLError('The subscription failed.', { originalError: error as Error })] };
  }
}

/** Not a generator: its `return` would wait for the next event. */
function settling(results: AsyncGenerator<ExecutionResult>, operation: Operation, running: Running): AsyncIterableIterator<ExecutionResult> {
  const withHidden = (result: IteratorResult<ExecutionResult>): IteratorResult<ExecutionResult> =>
    result.done ? result : { ...result, value: operation.tellHidden(result.value) };
  return {
    next: () =>
      running.track(
        inTime(operation.app, () => results.next())
          .then(withHidden)
          .finally(() => operation.settle()),
      ),
    return: () => results.return(undefined),
    throw: (error: unknown) => results.throw(error),
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
