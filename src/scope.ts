// The contacts that a transaction is limited to, where it is: settings that row-level security reads. Without them it sees all.
import { uuid } from './global-id.ts';

/** What somebody works with who does not work with all contacts. */
export interface Scope {
  /** Ids. With none of them: no contact. */
  tags: readonly string[];
  actorId: string;
}

/** The settings that row-level security reads a scope from. */
export function scoping({ tags, actorId }: Scope): string {
  if (![...tags, actorId].every((id) => uuid.test(id))) throw new Error('An id is not a UUID.');
  return `SET LOCAL app.tag_scope = '{${tags.join()}}'; SET LOCAL app.scoped_actor_id = '${actorId}'`;
}

export const unscoping = `SET LOCAL app.tag_scope = ''`;
