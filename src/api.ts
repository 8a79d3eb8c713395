// The executable schema: types, resolvers and policy put together; and what an error becomes in GraphQL, decided once.
import 'reflect-metadata';
import { GraphQLError, type GraphQLFormattedError, type GraphQLSchema } from 'graphql';
import { buildSchemaSync, type NonEmptyArray } from 'type-graphql';
import { type Config, isSchemaOpen } from './config.ts';
import { Forbidden, InvalidInput, NotFound, RateLimited, Refusal, TimedOut, Unauthenticated } from './errors.ts';
import { assertComplete, guard } from './permissions/guard.ts';
import { policy, visibility } from './permissions/index.ts';
import { veil } from './permissions/veil.ts';
import { ActionLogResolver } from './resolvers/action-log.ts';
import { ComparisonResolver } from './resolvers/comparisons.ts';
import { ContactConnectionResolver, ContactResolver } from './resolvers/contacts.ts';
import { DeletionResolver } from './resolvers/deletions.ts';
import { RestoreDrillResolver } from './resolvers/drills.ts';
import { ErasureResolver } from './resolvers/erasures.ts';
import { HistoryResolver } from './resolvers/history.ts';
import { IdentityProviderResolver } from './resolvers/identity-providers.ts';
import { ImportRecoverableResolver, ImportRowResolver } from './resolvers/import-rows.ts';
import { ImportTemplateResolver } from './resolvers/import-templates.ts';
import { ImportResolver } from './resolvers/imports.ts';
import { InvitationResolver } from './resolvers/invitations.ts';
import { OperatorResolver } from './resolvers/invoices.ts';
import { JobResolver } from './resolvers/jobs.ts';
import { LedgerResolver } from './resolvers/ledger.ts';
import { NodeResolver } from './resolvers/nodes.ts';
import { LogVerificationResolver } from './resolvers/log-verification.ts';
import { OrganizationResolver } from './resolvers/organizations.ts';
import { RecoveryResolver, UndoResolver } from './resolvers/recoveries.ts';
import { ConflictResolver, RecoveryPlanResolver } from './resolvers/recovery-plans.ts';
import { ReferenceResolver } from './resolvers/references.ts';
import { AccountResolver } from './resolvers/accounts.ts';
import { SessionResolver } from './resolvers/sessions.ts';
import { ExportResolver } from './resolvers/exports.ts';
import { SnapshotResolver } from './resolvers/snapshots.ts';
import { RoleScopeResolver, StaffResolver } from './resolvers/staff.ts';
import { ApiKeyResolver } from './resolvers/api-keys.ts';
import { UploadResolver } from './resolvers/uploads.ts';
import { WebhookResolver } from './resolvers/webhooks.ts';

const resolvers: NonEmptyArray<Function> = [
  SessionResolver,
  AccountResolver,
  InvitationResolver,
  IdentityProviderResolver,
  OrganizationResolver,
  NodeResolver,
  ContactResolver,
  ContactConnectionResolver,
  ReferenceResolver,
  HistoryResolver,
  LedgerResolver,
  DeletionResolver,
  RecoveryPlanResolver,
  ConflictResolver,
  ErasureResolver,
  RecoveryResolver,
  UndoResolver,
  OperatorResolver,
  RestoreDrillResolver,
  ExportResolver,
  SnapshotResolver,
  ComparisonResolver,
  ImportResolver,
  ImportRowResolver,
  ImportRecoverableResolver,
  ImportTemplateResolver,
  JobResolver,
  ActionLogResolver,
  LogVerificationResolver,
  RoleScopeResolver,
  StaffResolver,
  ApiKeyResolver,
  UploadResolver,
  WebhookResolver,
];

const noTopics = (): never => {
  throw new Error('Subscriptions bring their own streams.');
};
/** type-graphql insists on one. */
const unused = { publish: noTopics, subscribe: noTopics };

const roots: Record<string, string> = {
  Query: 'All that can be read. Reading changes nothing.',
  Mutation: 'All that can be done. Each takes one `input` and says in `userErrors` why it did nothing.',
  Subscription: 'All that can be watched live, over a WebSocket at the same address (graphql-transport-ws).',
};

/** @throws StartupError when a root field has no rule, a permission is asked for nowhere, or what roles hide is not there */
export function buildApi(): GraphQLSchema {
  const schema = buildUnguarded();
  assertComplete(schema, policy);
  return veil(guard(schema, policy), visibility);
}

/** The same without its rules, for measuring what they cost: it must never be served to anyone. */
export function buildUnguarded(): GraphQLSchema {
  const schema = buildSchemaSync({ resolvers, validate: false, pubSub: unused });
  for (const [name, description] of Object.entries(roots)) schema.getType(name)!.description = description;
  return schema;
}

const ours = [Unauthenticated, Forbidden, NotFound, InvalidInput, Refusal, RateLimited, TimedOut];

/**
 * What a client sees of an error, over HTTP and WebSocket alike: ours and GraphQL's own as they are, everything else
 * logged and masked. Never a stack trace.
 */
export function present(error: unknown, requestId: string, config: Config): GraphQLFormattedError {
  const cause = causeOf(error);
  const code = codeOf(error, cause);
  if (!code) logFault(cause, requestId);
  const shown = error instanceof GraphQLError ? error.toJSON() : {};
  const sorry = `Something went wrong on our side, and we have a record of it. Try again; if it stays, name request ${requestId}.`;
  const said = saidOfDatabase(cause) ?? (isSchemaOpen(config) ? (error as Error).message : (error as Error).message.replace(suggestion, ''));
  return { ...shown, message: code ? said : sorry, extensions: { code: code ?? 'INTERNAL_SERVER_ERROR', requestId } };
}

/** What was thrown in the first place: graphql wraps it, more than once when it comes out of a scalar. */
function causeOf(error: unknown): unknown {
  return error instanceof GraphQLError && error.originalError ? causeOf(error.originalError) : error;
}

function codeOf(error: unknown, cause: unknown): string | undefined {
  if (ours.some((kind) => cause instanceof kind)) return (cause as Refusal).code;
  const state = sqlState(cause);
  if (state === unstorable) return 'BAD_INPUT';
  if (state === cancelled) return new TimedOut().code;
  if (!(error instanceof GraphQLError && cause instanceof GraphQLError)) return undefined;
  const code = error.extensions['code'];
  if (typeof code === 'string') return code === 'INTERNAL_SERVER_ERROR' ? undefined : code;
  // Without a path it comes from before the first field: variables that don't fit.
  return error.path ? undefined : 'BAD_USER_INPUT';
}

/** What graphql adds to its own errors, and what tells of the schema to whoever may not know it. */
const suggestion = / Did you mean [^?]*\?/;

/** PostgreSQL has no character for NUL, in no text whatsoever. */
const unstorable = '22021';
/** By `statement_timeout`. */
const cancelled = '57014';

function saidOfDatabase(cause: unknown): string | undefined {
  const state = sqlState(cause);
  if (state === unstorable) return 'A text has a NUL character, which can’t be stored or found. Nothing was changed. Remove it.';
  return state === cancelled ? new TimedOut().message : undefined;
}

const sqlState = (error: unknown): string | undefined => (error as { code?: string } | null)?.code;

/** One line to stderr: what failed and where, without variables and without text that may quote data. */
function logFault(cause: unknown, requestId: string): void {
  const { name, message, stack } = cause instanceof Error ? cause : new Error(String(cause));
  const state = sqlState(cause);
  const where = stack
    ?.split('\n')
    .filter((line) => /^\s+at /.test(line))
    .map((line) => line.trim());
  const quotesData = state?.startsWith('22') || state?.startsWith('23');
  console.error(JSON.stringify({ at: 'api', requestId, name, code: state, message: quotesData ? undefined : message, where }));
}
