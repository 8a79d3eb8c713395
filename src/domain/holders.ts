// What somebody may do at this moment who is not there to be asked: whoever ordered what a job does.
import type { Transaction } from '../database.ts';
import { sql } from '../sql.ts';
import type { Actor, Viewer } from './app.ts';
import { addedUp, type Grants, scopeFor } from './grants.ts';

export type Holder = Pick<Viewer, 'permissions' | 'hidden' | 'scope'>;

/** Nothing, for those who are suspended, revoked or gone. */
export async function readHolder(tx: Transaction, { kind, id }: Pick<Actor, 'kind' | 'id'>): Promise<Holder> {
  const grants = sql`permissions, hidden_fields as "hiddenFields", tag_scope as "tagScope"`;
  const given =
    kind === 'STAFF'
      ? await tx.rows<Grants>(sql`
          select ${grants} from role r where r.organization_id = ${tx.organizationId} and r.id in (
            select l.role_id from staff_member_role l join staff_member s on s.organization_id = l.organization_id and s.id = l.staff_member_id
            where l.organization_id = ${tx.organizationId} and s.id = ${id} and s.suspended_at is null)`)
      : kind === 'API_KEY'
        ? await tx.rows<Grants>(sql`
          select ${grants} from api_key where organization_id = ${tx.organizationId} and id = ${id} and revoked_at is null
            and (expires_at is null or expires_at > clock_timestamp())`)
        : [];
  const { permissions, hidden, tagScope } = addedUp(given);
  return { permissions, hidden, scope: scopeFor(id!, { tagScope }) };
}
