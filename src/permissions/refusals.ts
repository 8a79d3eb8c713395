// Refused attempts go to the action log too. They are noted while an operation runs and written when its reads have
// ended, because an operation that held a second connection could wait for it for ever.
import type { GraphQLFieldResolver } from 'graphql';
import type { Context } from '../context.ts';
import { logAction, type Action } from '../domain/action-log.ts';
import type { Viewer } from '../domain/app.ts';
import { Forbidden, InvalidInput, Unauthenticated } from '../errors.ts';
import { decodeAnyId, type UserError } from '../schema/common.ts';

type Resolver = GraphQLFieldResolver<unknown, Context>;
type Noted = { viewer: Viewer; action: Action };

/** By what they say: asking the same thing under ten aliases is one attempt. */
const noted = new WeakMap<Context, Map<string, Noted>>();

/** Notes what a root field refuses to a signed-in member of staff: a rule's no, and a payload's first user error. */
export function noting(field: string, resolve: Resolver): Resolver {
  return async (parent, args, context, info) => {
    // Shield hands errors back as values.
    const result: unknown = await resolve(parent, args, context, info);
    const code = result instanceof Forbidden ? result.code : firstUserError(result);
    if (code) await note(context, { action: field, refusedWith: code, target: targetOf(args) });
    return result;
  };
}

/** Writes what was noted, in a transaction of its own. @throws what the database throws: then the operation fails */
export async function writeRefusals(context: Context): Promise<void> {
  const entries = [...(noted.get(context)?.values() ?? [])];
  noted.delete(context);
  const organizationId = entries[0]?.viewer.organization?.id;
  if (!organizationId) return;
  await context.app.database.transact(organizationId, async (tx) => {
    for (const { viewer, action } of entries) await logAction(tx, viewer, action);
  });
}

async function note(context: Context, action: Action): Promise<void> {
  const viewer = await context.viewer().catch((error: unknown) => {
    if (error instanceof Unauthenticated) return null;
    throw error;
  });
  // The log belongs to an organization, and an operator is in none.
  if (!viewer?.organization) return;
  const entries = noted.get(context) ?? new Map<string, Noted>();
  noted.set(context, entries.set(JSON.stringify(action), { viewer, action }));
}

function firstUserError(result: unknown): string | undefined {
  return (result as { userErrors?: UserError[] } | null | undefined)?.userErrors?.[0]?.code;
}

/** The first global id among the arguments. */
function targetOf(args: Record<string, unknown>): Action['target'] {
  const input = args['input'] as Record<string, unknown> | undefined;
  const given = { ...args, ...input, ...(input?.['selection'] as Record<string, unknown> | undefined) };
  for (const [name, value] of Object.entries(given)) {
    const [id] = Array.isArray(value) ? (value as unknown[]) : [value];
    if (!/ids?$/i.test(name) || typeof id !== 'string') continue;
    try {
      const [kind, uuid] = decodeAnyId(id);
      return { kind, id: uuid };
    } catch (error) {
      if (!(error instanceof InvalidInput)) throw error;
    }
  }
  return undefined;
}
