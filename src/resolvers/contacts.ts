// Finding, reading, creating and changing contacts.
import type { GraphQLResolveInfo } from 'graphql';
import { Arg, Args, Ctx, FieldResolver, ID, Info, Mutation, Query, Resolver, Root } from 'type-graphql';
import type { Context } from '../context.ts';
import type { ContactDraft } from '../domain/contact-drafts.ts';
import { createContact, createContacts, type Created, updateContact } from '../domain/contact-writing.ts';
import { type ContactPlace, contactPointsOf, type ContactQuery, type ContactRow, countContacts, listContacts, readContacts } from '../domain/contacts.ts';
import type { ContactFilter as DomainFilter } from '../domain/contact-filters.ts';
import { NotFound } from '../errors.ts';
import { groupOfPoint } from '../permissions/field-groups.ts';
import { decodeId, decodeOptionalId, encodeId, payload } from '../schema/common.ts';
import { checkFirst, decodeCursor, pageOf, type Page } from '../schema/pages.ts';
import {
  ContactInput,
  CreateContactPayload,
  CreateContactsInput,
  CreateContactsPayload,
  type CreateContactsResult,
  UpdateContactInput,
  UpdateContactPayload,
} from '../schema/contact-writing.ts';
import { CappedCount, Contact, ContactConnection, type ContactFilter, ContactPoint, type ContactOrder, ContactsArgs } from '../schema/contacts.ts';
import { selectedFields } from './selection.ts';

export const shownContact = (row: ContactRow): Contact & { __typename: string } => ({
  ...row,
  __typename: 'Contact',
  id: encodeId('Contact', row.id),
  uuid: row.id,
});

/** The filter with ids as the database has them. @throws InvalidInput MALFORMED_ID */
export const filterOf = ({ ids, membershipPlanId, ...rest }: ContactFilter): DomainFilter => ({
  ...rest,
  ids: ids?.map((id) => decodeId('Contact', id)),
  membershipPlanId: decodeOptionalId('MembershipPlan', membershipPlanId),
});

/** The contact, or null. */
export async function loadContact(context: Context, id: string): Promise<(Contact & { __typename: string }) | null> {
  const row = await context
    .loader<string, ContactRow | null>('contact', async (tx, ids) => {
      const rows = new Map((await readContacts(tx, await context.viewer(), ids)).map((row) => [row.id, row]));
      return ids.map((id) => rows.get(id) ?? null);
    })
    .load(id);
  return row && shownContact(row);
}

const draftOf = ({ memberships, ...rest }: ContactInput): ContactDraft => ({
  ...rest,
  memberships: memberships?.map(({ planId, ...membership }) => ({ ...membership, planId: decodeOptionalId('MembershipPlan', planId) })),
});

const resultOf = ({ id, refusal }: Created, index: number): CreateContactsResult => ({
  index,
  contactId: id ? encodeId('Contact', id) : null,
  userErrors: refusal ? [{ code: refusal.code, message: refusal.message, path: refusal.path }] : [],
});

const byName: ContactOrder = { field: 'NAME', direction: 'ASC' };
const orderKey = ({ field, direction }: ContactOrder): string => `${field} ${direction}`;

/** Where a page begins. @throws InvalidInput BAD_CURSOR also for the cursor of another order */
function placeOf(cursor: string, order: ContactOrder): ContactPlace {
  const [place, id] = decodeCursor(cursor, orderKey(order), 2) as [string | null, string];
  return { place: order.field === 'CREATED_AT' ? id : place, id };
}

@Resolver(() => Contact)
export class ContactResolver {
  @Query(() => Contact, { description: 'A contact, by its id.' })
  async contact(@Ctx() context: Context, @Arg('id', () => ID, { description: 'The id of the contact.' }) id: string): Promise<Contact> {
    const contact = await loadContact(context, decodeId('Contact', id));
    if (!contact) throw new NotFound('contact');
    return contact;
  }

  @Query(() => ContactConnection, { description: 'The contacts that are found, in order.' })
  async contacts(
    @Ctx() context: Context,
    @Args(() => ContactsArgs) { first, after, filter, search, orderBy }: ContactsArgs,
    @Info() info: GraphQLResolveInfo,
  ): Promise<Page<Contact> & { query: ContactQuery }> {
    const order = orderBy ?? byName;
    const query = { filter: filterOf(filter ?? {}), search };
    const page = { order, limit: checkFirst(first) + 1, after: after ? placeOf(after, order) : null, fields: selectedFields(info) };
    const rows = await listContacts(await context.reading(), await context.viewer(), query, page);
    return Object.assign(
      pageOf(rows, first, ({ place, id }) => [orderKey(order), place, id], shownContact),
      { query },
    );
  }

  @FieldResolver(() => [ContactPoint], {
    nullable: true,
    description: 'Further ways to reach it, in the order they were added, without those that your roles hide; null when they hide all.',
  })
  async contactPoints(@Ctx() context: Context, @Root() { uuid }: Contact): Promise<ContactPoint[] | null> {
    const { hidden } = context;
    if (hidden.has('EMAIL_AND_PHONE') && hidden.has('ADDRESS')) return null;
    const rows = (await context.loader('contact points', contactPointsOf).load(uuid)).filter(({ kind }) => !hidden.has(groupOfPoint(kind)));
    return rows.map((row) => ({ ...row, id: encodeId('ContactPoint', row.id) }));
  }

  @Mutation(() => CreateContactPayload, {
    description: 'Creates a contact with what it owns from the start. Who works only with contacts with certain tags gives it one of them.',
  })
  createContact(
    @Ctx() context: Context,
    @Arg('input', () => ContactInput, { description: 'The contact.' }) input: ContactInput,
  ): Promise<CreateContactPayload> {
    const work = async () => ({ contact: shownContact(await context.write((app, viewer) => createContact(app, viewer, draftOf(input)))) });
    return payload<CreateContactPayload>(work, { contact: null });
  }

  @Mutation(() => CreateContactsPayload, {
    description:
      'Creates up to 500 contacts. One that is refused does not stop the others. Who works only with contacts with certain tags gives each one of them.',
  })
  createContacts(
    @Ctx() context: Context,
    @Arg('input', () => CreateContactsInput, { description: 'The contacts.' }) { contacts }: CreateContactsInput,
  ): Promise<CreateContactsPayload> {
    return payload<CreateContactsPayload>(
      async () => {
        const created = await context.write((app, viewer) => createContacts(app, viewer, contacts.map(draftOf)));
        return { createdCount: created.filter(({ id }) => id).length, results: created.map(resultOf) };
      },
      { createdCount: 0, results: [] },
    );
  }

  @Mutation(() => UpdateContactPayload, {
    description: 'Changes a contact’s own fields, unless someone else changed it since you read it.',
  })
  updateContact(
    @Ctx() context: Context,
    @Arg('input', () => UpdateContactInput, { description: 'The changes.' }) { id, ...change }: UpdateContactInput,
  ): Promise<UpdateContactPayload> {
    const changed = { ...change, id: decodeId('Contact', id) };
    const work = async () => ({ contact: shownContact(await context.write((app, viewer) => updateContact(app, viewer, changed))) });
    return payload<UpdateContactPayload>(work, { contact: null });
  }
}

@Resolver(() => ContactConnection)
export class ContactConnectionResolver {
  @FieldResolver(() => CappedCount, { description: 'How many contacts are found in all. Counted only when asked for.' })
  async totalCount(@Ctx() context: Context, @Root() { query }: { query: ContactQuery }): Promise<CappedCount> {
    return countContacts(await context.reading(), await context.viewer(), query);
  }
}
