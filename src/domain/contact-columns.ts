// The columns of a contact's own fields, and of what is computed from them, by their names in code. It loads nothing
// heavy: the readers of contact files use it as well.
import { raw, type Sql } from '../sql.ts';

/** Texts of one line. */
export const textColumns = {
  memberNumber: 'member_number',
  firstName: 'first_name',
  lastName: 'last_name',
  email: 'email',
  company: 'company',
  jobTitle: 'job_title',
  street: 'street',
  city: 'city',
  postalCode: 'postal_code',
  country: 'country',
} as const;

/** All own fields. */
export const ownColumns = { ...textColumns, birthDate: 'birth_date' } as const;

/** What is written of a contact: its own fields, and what `derive` makes of them. */
export const writtenColumns = { ...ownColumns, emailNormalized: 'email_normalized', sortName: 'sort_name', searchText: 'search_text' } as const;

const written = Object.entries(writtenColumns);
const typeOf = (field: string) => (field === 'birthDate' ? 'date' : 'text');

/** The columns as they stand in a table, as the fields of a recordset, and each set to what is given; all in one order. */
export const writtenList = raw(written.map(([, column]) => column).join(', '));
export const writtenTypes = written.map(([field, column]) => [column, typeOf(field)] as const);
export const writtenShape = raw(written.map(([field]) => `"${field}" ${typeOf(field)}`).join(', '));
export const writtenFields = raw(written.map(([field]) => `"${field}"`).join(', '));
export const writtenFrom = (given: string): Sql => raw(written.map(([field, column]) => `${column} = ${given}."${field}"`).join(', '));

/** The own fields of a contact, by its name in the statement, as they are called in code. */
export const ownFields = (contact: string): Sql =>
  raw(
    Object.entries(ownColumns)
      .map(([field, column]) => `${contact}.${column} as "${field}"`)
      .join(', '),
  );
