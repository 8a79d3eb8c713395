// The organization as clients see it.
import { Field, ID, ObjectType, registerEnumType } from 'type-graphql';
import { described, Node } from './common.ts';
import { connectionOf } from './pages.ts';
import type { Plan as PlanName } from '../entities/organization.ts';

export const Plan = { FREE: 'FREE', STANDARD: 'STANDARD', PREMIUM: 'PREMIUM' } as const satisfies Record<PlanName, PlanName>;

registerEnumType(Plan, {
  name: 'Plan',
  description: 'What an organization has booked.',
  valuesConfig: described({
    FREE: 'Everything but recovery.',
    STANDARD: 'Larger limits; still without recovery.',
    PREMIUM: 'With recovery of deleted contacts, for a fee each.',
  }),
});

@ObjectType({
  implements: Node,
  description: 'A customer of this platform. Contacts, staff and everything else belong to one organization.',
})
export class Organization implements Node {
  @Field(() => ID, { description: 'The global id.' })
  id!: string;

  @Field(() => String, { description: 'Its name.' })
  name!: string;

  @Field(() => Plan, { description: 'What it has booked.' })
  plan!: PlanName;

  @Field(() => String, { description: 'The ISO 4217 code of the currency that it keeps its accounts in.' })
  currency!: string;
}

export const OrganizationConnection = connectionOf(Organization, 'organization', 'organizations');
