// Access tokens for worlds whose API can't sign anyone in.
import { SignJWT } from 'jose';
import type { World } from './harness.ts';
import { emailOf, testKeys } from './people.ts';

/** A token of the Viewer of Riverside Club, whose session is there. */
export async function tokenOf(world: World, lasting = '1h'): Promise<string> {
  const { rows } = await world.owner.query<{ sub: string; sid: string }>(
    `insert into session (id, account_id, token, expires_at) select gen_random_uuid(), id, gen_random_uuid(), now() + interval '1 day' from account where email = $1
     returning account_id as sub, id as sid`,
    [emailOf('Viewer', 'Riverside Club')],
  );
  return new SignJWT({ org: world.organizationId(), ...rows[0]!, iss: 'reinstate', aud: 'reinstate' })
    .setProtectedHeader({ alg: 'HS256', typ: 'at+jwt' })
    .setIssuedAt()
    .setExpirationTime(lasting)
    .sign(testKeys.tokens);
}
