// Membership plans, tags and custom fields: listing them, and tagging contacts.
import { Arg, Args, Ctx, FieldResolver, Mutation, Query, Resolver, Root } from 'type-graphql';
import type { Context } from '../context.ts';
import type { Transaction } from '../database.ts';
import {
  type CustomFieldDefinitionRow,
  customFieldsOf,
  listCustomFields,
  listPlans,
  listTags,
  type MembershipPlanRow,
  tagContacts,
  type TaggingInput,
  type TagRow,
  tagsOf,
  untagContacts,
} from '../domain/references.ts';
import { decodeId, encodeId, payload } from '../schema/common.ts';
import { checkFirst, decodeCursor, PageArgs, pageOf, type Page } from '../schema/pages.ts';
import { Contact } from '../schema/contacts.ts';
import {
  CustomField,
  type CustomFieldDefinition,
  CustomFieldDefinitionConnection,
  type MembershipPlan,
  MembershipPlanConnection,
  Tag,
  TagConnection,
  TagContactsInput,
  TagContactsPayload,
} from '../schema/references.ts';
import { shownContact } from './contacts.ts';

export const shownPlan = ({ id, priceMinor, currency, ...row }: MembershipPlanRow): MembershipPlan => ({
  ...row,
  id: encodeId('MembershipPlan', id),
  price: { amountMinor: priceMinor, currency },
});
export const shownTag = ({ id, name }: TagRow): Tag => ({ id: encodeId('Tag', id), name });
const shownDefinition = ({ id, key, label, kind }: CustomFieldDefinitionRow): CustomFieldDefinition => ({
  id: encodeId('CustomFieldDefinition', id),
  key,
  label,
  kind,
});
const inputOf = ({ contactIds, tags }: TagContactsInput): TaggingInput => ({
  contactIds: contactIds.map((id) => decodeId('Contact', id)),
  tags,
});

/** A page in order of a unique text. */
async function pageBy<Row extends { id: string }, Shown>(
  context: Context,
  { first, after }: PageArgs,
  noun: string,
  list: (tx: Transaction, limit: number, after: string | null) => Promise<Row[]>,
  key: (row: Row) => string,
  show: (row: Row) => Shown,
): Promise<Page<Shown>> {
  const rows = await list(await context.reading(), checkFirst(first) + 1, after ? decodeCursor(after, noun, 2)[0]! : null);
  return pageOf(rows, first, (row) => [noun, key(row), row.id], show);
}

@Resolver(() => Contact)
export class ReferenceResolver {
  @Query(() => MembershipPlanConnection, { description: 'The membership plans of the organization, by name.' })
  membershipPlans(@Ctx() context: Context, @Args(() => PageArgs) page: PageArgs): Promise<Page<MembershipPlan>> {
    return pageBy(context, page, 'plans', listPlans, (plan) => plan.name, shownPlan);
  }

  @Query(() => TagConnection, { description: 'The tags of the organization, by name.' })
  tags(@Ctx() context: Context, @Args(() => PageArgs) page: PageArgs): Promise<Page<Tag>> {
    return pageBy(context, page, 'tags', listTags, (tag) => tag.name, shownTag);
  }

  @Query(() => CustomFieldDefinitionConnection, { description: 'The custom fields of the organization, by key.' })
  customFieldDefinitions(@Ctx() context: Context, @Args(() => PageArgs) page: PageArgs): Promise<Page<CustomFieldDefinition>> {
    return pageBy(context, page, 'custom fields', listCustomFields, (field) => field.key, shownDefinition);
  }

  @FieldResolver(() => [Tag], { name: 'tags', description: 'Its tags, by name.' })
  async tagsOfContact(@Ctx() context: Context, @Root() { uuid }: Contact): Promise<Tag[]> {
    return (await context.loader('tags', tagsOf).load(uuid)).map(shownTag);
  }

  @FieldResolver(() => [CustomField], { nullable: true, description: 'What it has in custom fields, by their keys; null when your roles hide them.' })
  async customFields(@Ctx() context: Context, @Root() { uuid }: Contact): Promise<CustomField[]> {
    const rows = await context.loader('custom fields', customFieldsOf).load(uuid);
    return rows.map(({ definition, value }) => ({ definition: shownDefinition(definition), value }));
  }

  @Mutation(() => TagContactsPayload, { description: 'Puts tags on contacts; tags that are missing are made.' })
  tagContacts(
    @Ctx() context: Context,
    @Arg('input', () => TagContactsInput, { description: 'Which tags for which contacts.' }) input: TagContactsInput,
  ): Promise<TagContactsPayload> {
    const work = async () => ({
      contacts: (await context.write((app, viewer) => tagContacts(app, viewer, inputOf(input)))).map(shownContact),
    });
    return payload<TagContactsPayload>(work, { contacts: null });
  }

  @Mutation(() => TagContactsPayload, { description: 'Takes tags off contacts. Who works only with contacts with certain tags leaves each of them one.' })
  untagContacts(
    @Ctx() context: Context,
    @Arg('input', () => TagContactsInput, { description: 'Which tags for which contacts.' }) input: TagContactsInput,
  ): Promise<TagContactsPayload> {
    const work = async () => ({
      contacts: (await context.write((app, viewer) => untagContacts(app, viewer, inputOf(input)))).map(shownContact),
    });
    return payload<TagContactsPayload>(work, { contacts: null });
  }
}
