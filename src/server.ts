// HTTP and WebSocket around one schema on one port.
import { AsyncLocalStorage } from 'node:async_hooks';
import { once } from 'node:events';
import { createServer, type Server as HttpServer, type ServerOptions } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { ApolloServer, HeaderMap, type ApolloServerPlugin } from '@apollo/server';
import {
  ApolloServerPluginCacheControlDisabled,
  ApolloServerPluginLandingPageDisabled,
  ApolloServerPluginUsageReportingDisabled,
} from '@apollo/server/plugin/disabled';
import { expressMiddleware } from '@as-integrations/express5';
import express, { type ErrorRequestHandler, type Express, type Request, type Response } from 'express';
import { GraphQLError, type GraphQLSchema } from 'graphql';
import { isOverHttps } from './addresses.ts';
import { buildApi, present } from './api.ts';
import { isSchemaOpen } from './config.ts';
import type { RequestInfo } from './context.ts';
import type { App } from './domain/app.ts';
import { serveDownloads } from './downloads.ts';
import { RateLimited, StartupError, Unauthenticated } from './errors.ts';
import { graphiqlPage } from './graphiql.ts';
import { checkBrackets, mostTokens } from './limits.ts';
import { Operation, readAuthorization, requestInfo, Running } from './operation.ts';
import type { PubSub } from './pubsub.ts';
import { serveSockets } from './sockets.ts';
import { answerClientError, serveUploads } from './uploads.ts';

/** Of every answer: nobody keeps it, and no browser runs it, shows it within another page, or tells anyone where it came from. */
const guarding = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
};

const path = '/graphql';
const largestBody = '1mb';
/** How long a connection without a request is kept; longer than most proxies keep theirs. */
const idle = 65_000;
/** How long requests in progress may take to end when the server is closed. */
const patience = 10_000;

export interface Serving {
  app: App;
  pubsub: PubSub;
  schema?: GraphQLSchema;
  host: string;
  /** 0 for any that is free. */
  port: number;
}

export interface RunningServer {
  /** Of the GraphQL endpoint. */
  url: string;
  port: number;
  /** Takes no new work, ends subscriptions, lets requests in progress end, and is done within seconds. */
  close(): Promise<void>;
}

/** Apollo's context: a shell that it may clone. */
interface Holder {
  operation: Operation;
}

export async function startServer({ app, pubsub, schema = buildApi(), host, port }: Serving): Promise<RunningServer> {
  const introspection = isSchemaOpen(app.config);
  const requests = new AsyncLocalStorage<RequestInfo>();
  const running = new Running();
  const apollo = new ApolloServer<Holder>({
    schema,
    introspection,
    includeStacktraceInErrorResponses: false,
    // main.ts stops everything in its order.
    stopOnTerminationSignals: false,
    persistedQueries: false,
    parseOptions: { maxTokens: mostTokens },
    formatError: (_formatted, error) => present(error, requests.getStore()!.id, app.config),
    // Cache control would wrap every field's resolver, and none of this may be cached.
    plugins: [runIn(running), ApolloServerPluginCacheControlDisabled(), ApolloServerPluginLandingPageDisabled(), ApolloServerPluginUsageReportingDisabled()],
  });
  await apollo.start();

  const web = express().disable('x-powered-by').disable('etag');
  web.use((request, response, next) => {
    const info = requestInfo(request, app.config);
    response.set({ ...guarding, 'x-request-id': info.id });
    if (isOverHttps(request, app.config.TRUSTED_PROXIES)) response.set('strict-transport-security', 'max-age=31536000');
    requests.run(info, next);
  });
  web.get('/health', (_request, response) => answerHealth(app, response));
  if (introspection) web.get(path, showGraphiql);
  const context = async ({ req }: { req: Request }) => {
    const claims = await readAuthorization(app, req.headers.authorization).catch(asHttp401);
    // Apollo parses after this.
    for (const given of [req.body, req.query] as ({ query?: unknown } | undefined)[]) checkBrackets(given?.query);
    return { operation: new Operation(app, pubsub, requests.getStore()!, claims) };
  };
  const infoOf = () => requests.getStore()!;
  const refuse = (response: Response) => (status: number, code: string, message: string) => void answer(response, requests, status, code, message);
  web.get('/downloads/:token', serveDownloads(app, infoOf, refuse));
  const receive = serveUploads(app, infoOf, refuse);
  // What came before the server closes is kept before the database is gone.
  web.put('/uploads/:token', (request, response) => running.track(receive(request, response)));
  web.use(path, express.json({ limit: largestBody }), expressMiddleware(apollo, { context }));
  answerTheRest(web, requests, app);

  const http = createServer(timeouts(app), web).on('clientError', answerClientError);
  http.listen(port, host);
  await once(http, 'listening').catch(async (error: Error) => {
    await apollo.stop();
    throw new StartupError(`The API can't listen at ${host}:${port}: ${error.message}. Set HOST or PORT.`);
  });
  const closeSockets = serveSockets({ app, pubsub, schema, http, path, running });
  const address = http.address() as AddressInfo;
  const name = address.family === 'IPv6' ? `[${address.address}]` : address.address;
  let closing: Promise<void> | undefined;
  const close = async () => {
    await closeHttp(http, closeSockets, running);
    await apollo.stop();
  };
  return { url: `http://${name}:${address.port}${path}`, port: address.port, close: () => (closing ??= close()) };
}

/** Judges an operation before it runs, and runs it: Apollo would clone its context, and a client may go away while it runs. */
const runIn = (running: Running): ApolloServerPlugin<Holder> => ({
  async requestDidStart() {
    return {
      async didResolveOperation({ schema, document, operation, request, contextValue }) {
        if (operation) await contextValue.operation.admit({ schema, document, operation, variables: request.variables }).catch(asHttp429);
      },
      async responseForOperation({ schema, document, operation, request, response, contextValue }) {
        if (!operation) return null;
        const { variables: variableValues, operationName } = request;
        const singleResult = await running.track(contextValue.operation.execute({ schema, document, operationName, variableValues }));
        // By GraphQL over HTTP: the request was wrong when execution never began.
        if (singleResult.data === undefined) response.http.status = 400;
        return { http: response.http, body: { kind: 'single', singleResult } };
      },
      async willSendResponse({ response: { body }, contextValue }) {
        const { cost } = contextValue.operation;
        if (cost && body.kind === 'single') body.singleResult.extensions = { ...body.singleResult.extensions, cost };
      },
    };
  },
});

function asHttp401(error: unknown): never {
  if (!(error instanceof Unauthenticated)) throw error;
  throw withHttp(error, 401, ['www-authenticate', 'Bearer']);
}

function asHttp429(error: unknown): never {
  if (!(error instanceof RateLimited)) throw error;
  throw withHttp(error, 429, ['retry-after', String(error.seconds)]);
}

function withHttp(error: Error, status: number, header: [string, string]): GraphQLError {
  const extensions: Record<string, unknown> = { http: { status, headers: new HeaderMap([header]) } };
  return new GraphQLError(error.message, { originalError: error, extensions });
}

/** A client that sends slowly holds a connection no longer than that. */
function timeouts({ config }: App): ServerOptions {
  const requestTimeout = config.REQUEST_TIMEOUT_SECONDS * 1000;
  return { requestTimeout, headersTimeout: requestTimeout, keepAliveTimeout: idle, connectionsCheckingInterval: Math.min(requestTimeout / 2, 5000) };
}

async function showGraphiql(request: Request, response: Response, next: () => void): Promise<void> {
  if (request.accepts(['json', 'html']) !== 'html') return next();
  const { body, policy } = await graphiqlPage(path);
  response.set({
    'content-type': 'text/html; charset=utf-8',
    'content-encoding': 'gzip',
    'content-security-policy': policy,
  });
  response.send(body);
}

async function answerHealth(app: App, response: Response): Promise<void> {
  const reached = app.database.pool.query('select 1').then(
    () => true,
    () => false,
  );
  const healthy = await Promise.race([reached, delay(2000, false, { ref: false })]);
  response.status(healthy ? 200 : 503).json({ status: healthy ? 'ok' : 'the database does not answer' });
}

const answer = (response: Response, requests: AsyncLocalStorage<RequestInfo>, status: number, code: string, message: string) =>
  response.status(status).json({ errors: [{ message, extensions: { code, requestId: requests.getStore()!.id } }] });

/** Unknown paths, and requests that never become an operation: too large, not JSON, broken off. */
function answerTheRest(web: Express, requests: AsyncLocalStorage<RequestInfo>, app: App): void {
  web.use((_request, response) => void answer(response, requests, 404, 'NOT_FOUND', `There is nothing here. The API is at ${path}.`));
  const onError: ErrorRequestHandler = (error: { status?: number }, _request, response, _next) => {
    const status = error.status ?? 500;
    if (status === 413)
      return void answer(response, requests, status, 'BODY_TOO_LARGE', `The request is larger than ${largestBody}. Nothing was read or changed. Split it.`);
    if (status === 415)
      return void answer(
        response,
        requests,
        status,
        'UNSUPPORTED_MEDIA_TYPE',
        'The request is in a charset, or packed in a way, that is not known here. Nothing was read or changed. Send JSON in UTF-8.',
      );
    if (status < 500)
      return void answer(
        response,
        requests,
        status,
        'BAD_REQUEST',
        'The request is not one that GraphQL over HTTP knows. Nothing was read or changed. Send JSON with a `query`.',
      );
    const { message, extensions } = present(error, requests.getStore()!.id, app.config);
    response.status(500).json({ errors: [{ message, extensions }] });
  };
  web.use(onError);
}

async function closeHttp(http: HttpServer, closeSockets: () => Promise<void>, running: Running): Promise<void> {
  const closed = once(http, 'close');
  http.close();
  const sockets = closeSockets();
  // A connection that is kept alive becomes idle with its last answer, and would be waited for.
  const sweep = setInterval(() => http.closeIdleConnections(), 20);
  const late = setTimeout(() => http.closeAllConnections(), patience);
  await Promise.race([Promise.all([closed, sockets]).then(() => running.ended()), delay(patience + 1000, undefined, { ref: false })]);
  clearInterval(sweep);
  clearTimeout(late);
}
