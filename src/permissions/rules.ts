// The questions that the policy asks: who is it, what may they do, what does their organization pay for, is it in time.
// A rule answers true, or the error that tells the caller what happened and what to do.
import type { Context } from '../context.ts';
import type { Viewer } from '../domain/app.ts';
import { type ContactFilter, groupsOfFilter } from '../domain/contact-filters.ts';
import { type ContactOrder, groupsOfOrder } from '../domain/contacts.ts';
import { lacking, unseen as unseenGroup } from '../domain/visibility.ts';
import { plans, type Plan } from '../entities/organization.ts';
import { isProven, proofRequired } from '../domain/second-factor.ts';
import { Forbidden, Unauthenticated } from '../errors.ts';
import { decodeId } from '../schema/common.ts';
import { sql } from '../sql.ts';
import { catalogue, type Permission } from './catalogue.ts';
import { rule, type Rule } from './shield.ts';

type PlatformPermission = Extract<Permission, `platform:${string}`>;
export type StaffPermission = Exclude<Permission, PlatformPermission>;
type Question<Args, Parent> = (viewer: Viewer, context: Context, args: Args, parent: Parent) => true | Error | Promise<true | Error>;

const rules = new Map<string, Rule>();

/** The rule of that name, made once: shield takes two rules of one name for a mistake. It asks anew each time. */
function ask<Args, Parent>(name: string, question: Question<Args, Parent>): Rule {
  const made = rules.get(name);
  if (made) return made;
  const fresh = rule(name, { cache: 'no_cache' })(async (parent: Parent, args: Args, context: Context) => {
    try {
      return await question(await viewerOf(context), context, args, parent);
    } catch (error) {
      // Shield makes a bare "no" of what is thrown; what is returned keeps its code.
      return error as Error;
    }
  });
  rules.set(name, fresh);
  return fresh;
}

/** @throws Unauthenticated also when the token ran out while a subscription was open */
async function viewerOf(context: Context): Promise<Viewer> {
  if (context.claims && context.claims.expiresAt.getTime() <= Date.now()) throw new Unauthenticated();
  return context.viewer();
}

/** Anyone with a valid token. */
export const signedIn = ask('signedIn', () => true);

/** A person, staff or operator; an API key has no password, no second factor and no sessions. */
export const person = ask('person', ({ kind }) =>
  kind === 'API_KEY' ? new Forbidden('FORBIDDEN', 'This is for people who sign in, and you are an API key. Nothing was changed. Have a person do it.') : true,
);

/** Whoever proved lately who they are: a stolen token alone must not be enough. */
export const proven = ask('proven', (viewer, { app }) => isProven(app, viewer) || proofRequired(app));

/** Whether they are staff with a role that holds the permission, or an API key that does. */
export const holds = (viewer: Viewer, permission: StaffPermission): boolean => viewer.kind !== 'OPERATOR' && viewer.permissions.has(permission);

/** Staff with a role that holds the permission. The rule bears the permission's name. */
export const may = (permission: StaffPermission) => ask(permission, (viewer) => holds(viewer, permission) || lacking(permission, viewer));

/**
 * The same for a field inside of an answer, which is then left out. What the answer is part of has been done: a mutation
 * has changed what it changes before its payload is read.
 */
export const maySee = (permission: StaffPermission) => ask(`see ${permission}`, (viewer) => holds(viewer, permission) || unseen(permission));

/** The same, and whoever ordered the record that the field belongs to: those who delete may see their deletion's job. */
export const maySeeOwn = (permission: StaffPermission) =>
  ask(
    `see own or ${permission}`,
    (viewer, _context, _args, { requestedById }: { requestedById: string }) => holds(viewer, permission) || requestedById === viewer.id || unseen(permission),
  );

interface Finding {
  filter?: Pick<ContactFilter, 'balance' | 'email' | 'hasEmail' | 'country'> | null;
  orderBy?: ContactOrder | null;
  input?: Finding | null;
}

/** To find or sort contacts by something tells of it, so it takes what seeing it takes. */
export const seesAsked = ask('seesAsked', (viewer, _context, { input, ...args }: Finding) => {
  const { filter, orderBy } = input ?? args;
  if (filter?.balance != null && !holds(viewer, 'payments:read')) return lacking('payments:read', viewer);
  const hidden = [...groupsOfFilter(filter), ...groupsOfOrder(orderBy)].find((group) => viewer.hidden.has(group));
  return hidden ? new Forbidden('HIDDEN_FIELD', unseenGroup(hidden)) : true;
});

/** Operators that hold the permission. The rule bears the permission's name. */
export const operator = (permission: PlatformPermission) =>
  ask(permission, (viewer) => (viewer.kind === 'OPERATOR' && viewer.permissions.has(permission)) || lacking(permission, viewer));

function unseen(permission: StaffPermission): Forbidden {
  return new Forbidden(
    'FORBIDDEN',
    `Seeing this takes the permission ${permission} (${catalogue[permission][0]}), which you do not hold. It was left out; all else that you asked for was done. Ask an administrator of your organization for a role that holds it.`,
  );
}

/** An organization on this plan or a larger one. */
export const onPlan = (least: Plan) =>
  ask(`onPlan ${least}`, ({ organization }) => {
    if (organization && plans.indexOf(organization.plan) >= plans.indexOf(least)) return true;
    const message = `This is part of the ${least} plan, and your organization is on ${organization?.plan ?? 'none'}. Nothing was changed. Move to ${least} and ask again: a deletion waits until its own deadline.`;
    return new Forbidden('PLAN_REQUIRED', message);
  });

/** A deletion whose time has not run out by the database clock. An unknown one, or what was selected otherwise, passes: the domain answers for it. */
export const withinWindow = ask('withinWindow', async (_viewer, context, { input }: { input: { selection: { deletionId?: string | null } } }) => {
  const { deletionId } = input.selection;
  if (deletionId == null) return true;
  const tx = await context.reading();
  const deletion = await tx.row<{ until: Date; closed: boolean | null }>(sql`
    select recoverable_until as until, recoverable_until <= clock_timestamp() as closed
    from deletion where organization_id = ${tx.organizationId} and id = ${decodeId('Deletion', deletionId)}`);
  if (!deletion?.closed) return true;
  const message = `This deletion could be recovered until ${deletion.until.toISOString()}, and that has passed. Nothing was changed. Its contacts can't be brought back; if you keep a file of them, import it.`;
  return new Forbidden('RECOVERY_WINDOW_CLOSED', message);
});
