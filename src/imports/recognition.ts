// What the columns of a sheet mean. Headers are found in a table of names that other products write; a row becomes a
// draft of a contact only when every recognized value is valid. Nothing is guessed and nothing is repaired.
import { normalizeEmail } from '../domain/email.ts';
import { Refusal } from '../errors.ts';
import type { RowProblem } from './csv.ts';

/** A contact as a row describes it. Texts are trimmed and in NFC, never empty; dates are ISO `yyyy-mm-dd`. */
export type ContactDraft = {
  memberNumber?: string;
  firstName?: string;
  lastName?: string;
  /** As the row spells it; valid, but not normalized. */
  email?: string;
  company?: string;
  jobTitle?: string;
  street?: string;
  city?: string;
  postalCode?: string;
  country?: string;
  birthDate?: string;
  contactPoints: { kind: 'EMAIL' | 'PHONE' | 'ADDRESS' | 'WEBSITE'; label?: string; value: string }[];
  tags: string[];
  notes: string[];
  memberships: { planName: string; startsOn: string; endsOn?: string }[];
};

// A name that means two things (“Name”, “Title”, “Address”, “Start Date”) is left out on purpose.
const knownHeaders = {
  memberNumber: [
    'Member No',
    'Member Number',
    'Membership Number',
    'Member ID',
    'Mitgliedsnummer',
    'Mitglieds-Nr',
    'Mitgliedsnr',
    'Numéro de membre',
    'Numéro d’adhérent',
    'N° adhérent',
    'Número de socio',
    'Nº de socio',
    'Üye No',
    'Üye Numarası',
  ],
  firstName: ['First Name', 'Given Name', 'Vorname', 'Prénom', 'Nombre', 'Ad', 'Adı'],
  lastName: ['Last Name', 'Surname', 'Family Name', 'Nachname', 'Familienname', 'Nom', 'Nom de famille', 'Apellido', 'Apellidos', 'Soyad', 'Soyadı'],
  email: [
    'Email',
    'E-mail',
    'Email Address',
    'E-mail Address',
    'E-Mail-Adresse',
    'Courriel',
    'Adresse e-mail',
    'Correo electrónico',
    'E-posta',
    'E-posta Adresi',
  ],
  mobile: [
    'Mobile',
    'Mobile Phone',
    'Mobile Number',
    'Cell Phone',
    'Mobil',
    'Mobiltelefon',
    'Handy',
    'Handynummer',
    'Portable',
    'Téléphone portable',
    'Téléphone mobile',
    'Móvil',
    'Teléfono móvil',
    'Celular',
    'Cep Telefonu',
  ],
  phone: ['Phone', 'Phone Number', 'Telephone', 'Telefon', 'Telefonnummer', 'Numéro de téléphone', 'Teléfono', 'Telefon Numarası'],
  website: ['Website', 'Web Page', 'Webseite', 'Site web', 'Sitio web', 'Web Sitesi'],
  company: ['Company', 'Company Name', 'Organization', 'Organisation', 'Firma', 'Unternehmen', 'Entreprise', 'Société', 'Empresa', 'Şirket'],
  jobTitle: ['Job Title', 'Berufsbezeichnung', 'Fonction', 'Cargo', 'Puesto', 'Unvan'],
  street: ['Street', 'Street Address', 'Straße', 'Strasse', 'Rue', 'Calle', 'Sokak'],
  city: ['City', 'Town', 'Ort', 'Stadt', 'Wohnort', 'Ville', 'Ciudad', 'Şehir'],
  postalCode: ['Postal Code', 'Postcode', 'ZIP', 'ZIP Code', 'PLZ', 'Postleitzahl', 'Code postal', 'Código postal', 'Posta Kodu'],
  country: ['Country', 'Land', 'Pays', 'País', 'Ülke'],
  birthDate: ['Birth Date', 'Birthdate', 'Birthday', 'Date of Birth', 'Geburtsdatum', 'Date de naissance', 'Fecha de nacimiento', 'Doğum Tarihi'],
  planName: [
    'Membership Plan',
    'Membership Type',
    'Mitgliedschaft',
    'Mitgliedsart',
    'Type d’adhésion',
    'Formule d’adhésion',
    'Tipo de membresía',
    'Üyelik Türü',
    'Üyelik Planı',
  ],
  startsOn: [
    'Membership Start',
    'Member Since',
    'Mitglied seit',
    'Eintrittsdatum',
    'Début d’adhésion',
    'Date d’adhésion',
    'Inicio de membresía',
    'Fecha de alta',
    'Üyelik Başlangıcı',
  ],
  endsOn: ['Membership Expiry', 'Membership End', 'Mitglied bis', 'Fin d’adhésion', 'Fin de membresía', 'Üyelik Bitişi'],
  tags: ['Tags', 'Schlagwörter', 'Étiquettes', 'Etiquetas', 'Etiketler'],
  notes: ['Notes', 'Comments', 'Notizen', 'Bemerkung', 'Bemerkungen', 'Remarques', 'Notas', 'Observaciones', 'Notlar'],
};
type Field = keyof typeof knownHeaders;

const fieldByHeader = new Map(Object.entries(knownHeaders).flatMap(([field, names]) => names.map((name) => [fold(name), field as Field] as const)));
const repeatable = new Set<Field>(['mobile', 'phone', 'website', 'tags', 'notes']);

/** The longest text of one line: the columns are indexed, and PostgreSQL indexes no more than 2,704 bytes. */
const lineLength = 255;

/** A column of the sheet that has a meaning; `header` is as the file spells it. */
export type RecognizedColumn = { field: Field; index: number; header: string };

/**
 * The columns that the header names, from left to right; unknown ones are left out. Throws a Refusal when none is known
 * or two claim the same single-valued field.
 */
export function recognizeHeader(header: string[]): RecognizedColumn[] {
  const columns = header.flatMap((name, index) => {
    const field = fieldByHeader.get(fold(name));
    return field ? [{ field, index, header: name.trim() }] : [];
  });
  if (columns.length === 0) {
    throw new Refusal(
      'NO_KNOWN_COLUMN',
      'No column name in the first row is known. Name the columns, for example First Name, Last Name, Email, and upload the file again.',
    );
  }
  for (const column of columns) {
    const earlier = columns.find(({ field }) => field === column.field)!;
    if (earlier !== column && !repeatable.has(column.field)) {
      throw new Refusal(
        'DUPLICATE_COLUMN',
        `The columns “${earlier.header}” and “${column.header}” mean the same. Remove or rename one and upload the file again.`,
      );
    }
  }
  return columns;
}

/** Lower case without accents or punctuation, so that “E-Mail”, “e mail” and “E-MAİL” are found by the same name. */
function fold(header: string): string {
  return header
    .normalize('NFKD')
    .toLowerCase()
    .replace(/\p{M}/gu, '')
    .replaceAll('ı', 'i')
    .replace(/[^\p{L}\p{N}]+/gu, ' ')
    .trim();
}

type Fault = Pick<RowProblem, 'code' | 'column' | 'message'>;

/** The contact that a row describes, or the first thing wrong with it from left to right. */
export function draftContact(
  rowNumber: number,
  cells: string[],
  columns: RecognizedColumn[],
): { rowNumber: number; draft: ContactDraft } | { rowNumber: number; problem: RowProblem } {
  const draft: ContactDraft = { contactPoints: [], tags: [], notes: [], memberships: [] };
  const membership: { planName?: string; startsOn?: string; endsOn?: string } = {};
  for (const { field, index, header } of columns) {
    const value = (cells[index] ?? '').normalize('NFC').trim();
    if (value === '') continue;
    const fault = findValueFault(field, value);
    if (fault) return { rowNumber, problem: { rowNumber, column: header, ...fault } };
    if (field === 'mobile') draft.contactPoints.push({ kind: 'PHONE', label: 'Mobile', value });
    else if (field === 'phone') draft.contactPoints.push({ kind: 'PHONE', value });
    else if (field === 'website') draft.contactPoints.push({ kind: 'WEBSITE', value });
    else if (field === 'tags') draft.tags = [...new Set([...draft.tags, ...splitTags(value)])];
    else if (field === 'notes') draft.notes.push(value);
    else if (field === 'planName' || field === 'startsOn' || field === 'endsOn') membership[field] = value;
    else draft[field] = value;
  }
  const { planName, startsOn, endsOn } = membership;
  if (planName && startsOn) draft.memberships.push({ planName, startsOn, ...(endsOn && { endsOn }) });
  else if (planName || startsOn || endsOn) return { rowNumber, problem: { rowNumber, ...incompleteMembership } };
  const fault = findDraftFault(draft, columns);
  return fault ? { rowNumber, problem: { rowNumber, ...fault } } : { rowNumber, draft };
}

const incompleteMembership: Fault = {
  code: 'INCOMPLETE_MEMBERSHIP',
  message: 'A membership needs both its plan and the date it starts. Fill in both, or leave all of it empty.',
};

function findDraftFault({ memberships, firstName, lastName, email }: ContactDraft, columns: RecognizedColumn[]): Fault | undefined {
  if (memberships.some(({ startsOn, endsOn }) => endsOn && endsOn < startsOn)) {
    const column = columns.find(({ field }) => field === 'endsOn')?.header;
    return { code: 'MEMBERSHIP_ENDS_BEFORE_START', column, message: 'The membership ends before it starts. Correct one of the two dates.' };
  }
  if (!firstName && !lastName && !email) {
    return { code: 'NO_NAME_OR_EMAIL', message: 'The row has neither a name nor an email address. Fill in at least one of them.' };
  }
  return undefined;
}

function findValueFault(field: Field, value: string): Fault | undefined {
  if (field === 'email' && normalizeEmail(value) === null) {
    return { code: 'INVALID_EMAIL', message: 'This is not an email address. Write it like name@example.org, or leave the cell empty.' };
  }
  if ((field === 'birthDate' || field === 'startsOn' || field === 'endsOn') && !isIsoDate(value)) {
    return { code: 'INVALID_DATE', message: 'This is not a date as year-month-day. Write it like 1990-12-31, or leave the cell empty.' };
  }
  const lines = field === 'tags' ? splitTags(value) : field === 'notes' || field === 'website' ? [] : [value];
  if (lines.some((line) => line.length > lineLength)) {
    return { code: 'VALUE_TOO_LONG', message: `This is longer than ${lineLength} characters. Shorten it.` };
  }
  return undefined;
}

function splitTags(value: string): string[] {
  return value
    .split(';')
    .map((tag) => tag.trim())
    .filter((tag) => tag !== '');
}

/** True for a day of the calendar that PostgreSQL also knows: it has no year 0. */
function isIsoDate(value: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(value) || value.startsWith('0000')) return false;
  const date = new Date(`${value}T00:00:00Z`);
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(value);
}
