// Creating and changing contacts, one by one and by the batch.
import { LockMode, raw } from '@mikro-orm/postgresql';
import { v7 as newId } from 'uuid';
import type { Transaction } from '../database.ts';
import { ActionDetail, Contact } from '../entities/contact.ts';
import { NotFound, Refusal } from '../errors.ts';
import { type Sql, sql } from '../sql.ts';
import { logAction, logActions } from './action-log.ts';
import { type Actor, type App, authorOf, type Viewer } from './app.ts';
import { writtenFields, writtenList, writtenShape } from './contact-columns.ts';
import { checkNamed, type ContactDraft, type ContactFields, type NewContact, readDraft, readFields, readReferences } from './contact-drafts.ts';
import { type ContactRow, readContacts } from './contacts.ts';
import { derive } from './derived-fields.ts';
import { ensureTags, readTags } from './references.ts';
import { checkLength } from './text.ts';
import { taken, write } from './writing.ts';

/** The most contacts of one batch. */
const mostAtOnce = 500;

/**
 * Creates a contact with what it owns from the start, and logs it.
 * @throws Refusal EMAIL_TAKEN, MEMBER_NUMBER_TAKEN and those of contact-drafts.ts
 */
export async function createContact(app: App, viewer: Viewer, draft: ContactDraft): Promise<ContactRow> {
  return write(app, viewer, async (tx) => {
    const contact = readDraft(viewer, draft, await readReferences(tx, [draft]), ['input']);
    mustBeWithin(await scopeNames(tx, viewer), contact, ['input']);
    await tx.unscope();
    tx.em.create(Contact, { organizationId: tx.organizationId, id: contact.id, ...contact.fields, ...derive(contact.fields) });
    await tx.flush();
    await addOwned(tx, viewer, [contact]);
    await logAction(tx, viewer, { action: 'contact.created', target: { kind: 'Contact', id: contact.id } });
    return (await readContacts(tx, viewer, [contact.id]))[0]!;
  });
}

/** What became of one draft of a batch: the new contact's id, or why there is none. */
export type Created = { id: string; refusal?: undefined } | { id?: undefined; refusal: Refusal };

/**
 * Creates up to 500 contacts and logs each; a draft that is refused does not stop the others. Of two with the same email
 * or member number the first is created. A constant number of statements, all in one transaction.
 * @returns what became of each draft, in order
 * @throws Refusal TOO_MANY_VALUES
 */
export async function createContacts(app: App, viewer: Viewer, drafts: readonly ContactDraft[]): Promise<Created[]> {
  checkLength(drafts, mostAtOnce, ['input', 'contacts']);
  return write(app, viewer, async (tx) => {
    const references = await readReferences(tx, drafts);
    const pathOf = (index: number) => ['input', 'contacts', String(index)];
    const names = await scopeNames(tx, viewer);
    const read = (draft: ContactDraft, path: string[]) => mustBeWithin(names, readDraft(viewer, draft, references, path), path);
    const checked = drafts.map((draft, index) => attempt(() => read(draft, pathOf(index))));
    await tx.unscope();
    const contacts = checked.filter((result): result is NewContact => !(result instanceof Refusal));
    const created = await insertContacts(tx, contacts);
    const refusalOf = await whyNot(
      tx,
      contacts.filter(({ id }) => !created.has(id)),
    );
    const kept = contacts.filter(({ id }) => created.has(id));
    await addOwned(tx, viewer, kept);
    await logActions(
      tx,
      viewer,
      kept.map(({ id }) => ({ action: 'contact.created', target: { kind: 'Contact', id } })),
    );
    return checked.map((result, index) => {
      if (result instanceof Refusal) return { refusal: result };
      return created.has(result.id) ? { id: result.id } : { refusal: refusalOf(result, pathOf(index)) };
    });
  });
}

/** The names of the tags that the viewer is limited to; null: the viewer is not limited. */
async function scopeNames(tx: Transaction, { scope }: Viewer): Promise<Set<string> | null> {
  return scope && new Set((await readTags(tx, scope.tags)).map(({ name }) => name));
}

/** @throws Refusal OUT_OF_SCOPE */
function mustBeWithin(names: ReadonlySet<string> | null, contact: NewContact, path: string[]): NewContact {
  if (names && !contact.tags.some((tag) => names.has(tag)))
    throw new Refusal(
      'OUT_OF_SCOPE',
      'You work with contacts with certain tags only, and this one has none of them. It was not created. Give it one of the tags of your `viewer.tagScope`.',
      [...path, 'tags'],
    );
  return contact;
}

function attempt<T>(work: () => T): T | Refusal {
  try {
    return work();
  } catch (error) {
    if (error instanceof Refusal) return error;
    throw error;
  }
}

/** In the order given, so that the first of two alike wins. @returns the ids of those that nothing stood in the way of */
async function insertContacts(tx: Transaction, contacts: readonly NewContact[]): Promise<Set<string>> {
  const rows = contacts.map(({ id, fields }) => ({ id, ...fields, ...derive(fields) }));
  const { rows: created } = await tx.run(sql`
    insert into contact (organization_id, id, ${writtenList})
    select ${tx.organizationId}, id, ${writtenFields} from ${recordset(rows, sql`id uuid, ${writtenShape}`)}
    on conflict do nothing returning id`);
  return new Set((created as { id: string }[]).map(({ id }) => id));
}

/** For contacts that were not created: the refusal that names what stood in the way. */
async function whyNot(tx: Transaction, contacts: readonly NewContact[]): Promise<(contact: NewContact, path: string[]) => Refusal> {
  const emails = contacts.map(({ fields }) => derive(fields).emailNormalized);
  const inUse =
    contacts.length === 0
      ? []
      : await tx.rows<{ email: string }>(sql`
    select email_normalized as email from contact where organization_id = ${tx.organizationId} and email_normalized = any(${emails}::text[])`);
  const takenEmails = new Set(inUse.map(({ email }) => email));
  return ({ fields }, path) => {
    const key = takenEmails.has(derive(fields).emailNormalized ?? '') ? 'email_normalized' : 'member_number';
    return taken(`contact_organization_id_${key}_unique`, path)!;
  };
}

/** A set of rows as a table: one parameter, whatever their number. */
export const recordset = (rows: readonly object[], columns: Sql): Sql => sql`jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as given (${columns})`;

/** Writes what new contacts own from the start: at most one statement for each kind, and two for tags. */
export async function addOwned(tx: Transaction, author: Actor, contacts: readonly Omit<NewContact, 'fields'>[]): Promise<void> {
  const owned = <T extends object>(list: (contact: Omit<NewContact, 'fields'>) => readonly T[]) =>
    contacts.flatMap((contact) => list(contact).map((row) => ({ contactId: contact.id, ...row })));
  const add = async (rows: readonly object[], statement: () => Sql | Promise<Sql>) => {
    if (rows.length > 0) await tx.run(await statement());
  };
  const points = owned((contact) => contact.contactPoints);
  await add(
    points,
    () => sql`
    insert into contact_point (organization_id, id, contact_id, kind, label, value, normalized)
    select ${tx.organizationId}, id, "contactId", kind, label, value, normalized
    from ${recordset(points, sql`id uuid, "contactId" uuid, kind text, label text, value text, normalized text`)}`,
  );
  const notes = owned((contact) => contact.notes);
  await add(
    notes,
    () => sql`
    insert into note (organization_id, id, contact_id, author_id, author_name, body)
    select ${tx.organizationId}, id, "contactId", ${authorOf(author)}, ${author.name}, body
    from ${recordset(notes, sql`id uuid, "contactId" uuid, body text`)}`,
  );
  const memberships = owned((contact) => contact.memberships);
  await add(
    memberships,
    () => sql`
    insert into membership (organization_id, id, contact_id, plan_id, state, starts_on, ends_on)
    select ${tx.organizationId}, id, "contactId", "planId", case when "endsOn" < current_date then 'EXPIRED' else 'ACTIVE' end, "startsOn", "endsOn"
    from ${recordset(memberships, sql`id uuid, "contactId" uuid, "planId" uuid, "startsOn" date, "endsOn" date`)}`,
  );
  const fields = owned((contact) => contact.customFields);
  await add(
    fields,
    () => sql`
    insert into custom_field_value (organization_id, contact_id, definition_id, value)
    select ${tx.organizationId}, "contactId", "definitionId", value
    from ${recordset(fields, sql`"contactId" uuid, "definitionId" uuid, value text`)}`,
  );
  const tags = owned((contact) => contact.tags.map((name) => ({ name })));
  await add(tags, async () => {
    const ids = await ensureTags(tx, [...new Set(tags.map(({ name }) => name))]);
    const links = tags.map(({ contactId, name }) => ({ contactId, tagId: ids.get(name) }));
    return sql`
      insert into contact_tag (organization_id, contact_id, tag_id)
      select ${tx.organizationId}, "contactId", "tagId" from ${recordset(links, sql`"contactId" uuid, "tagId" uuid`)}`;
  });
}

export interface ContactChange extends ContactFields {
  id: string;
  /** The version that the change was made for. */
  version: number;
}

/**
 * Changes the fields that are given; logs it, and keeps what each was before and after with the contact. Locks the contact
 * until the commit. Giving only what is there already changes nothing.
 * @throws NotFound; Refusal VERSION_CONFLICT, EMAIL_TAKEN, MEMBER_NUMBER_TAKEN and those of contact-drafts.ts
 */
export async function updateContact(app: App, viewer: Viewer, { id, version, ...given }: ContactChange): Promise<ContactRow> {
  const fields = readFields(viewer, given, ['input']);
  return write(app, viewer, async (tx) => {
    const contact = await tx.em.findOne(Contact, { organizationId: tx.organizationId, id }, { lockMode: LockMode.PESSIMISTIC_WRITE });
    if (!contact) throw new NotFound('contact');
    if (contact.version !== version)
      throw new Refusal(
        'VERSION_CONFLICT',
        `This contact was changed by someone else: it is at version ${contact.version}, and you changed version ${version}. Nothing was changed. Read the contact again and repeat your change.`,
        ['input', 'version'],
      );
    const names = (Object.keys(fields) as (keyof ContactFields)[]).filter((name) => fields[name] !== contact[name]);
    if (names.length > 0) {
      const changes = Object.fromEntries(names.map((name) => [name, { before: contact[name], after: fields[name] }]));
      tx.em.assign(contact, fields);
      checkNamed(viewer, contact, ['input']);
      tx.em.assign(contact, { ...derive(contact), version: version + 1, updatedAt: raw('now()') });
      const actionId = await logAction(tx, viewer, { action: 'contact.updated', target: { kind: 'Contact', id }, changes });
      tx.em.create(ActionDetail, { organizationId: tx.organizationId, id: newId(), contact, actionId, changes });
      await tx.flush();
    }
    return (await readContacts(tx, viewer, [id]))[0]!;
  });
}
