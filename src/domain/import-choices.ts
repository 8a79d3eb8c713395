// What is chosen for an import: how its file is read, what its columns are for, and what becomes of duplicates.
import type { Transaction } from '../database.ts';
import type { DeletedPolicy, DuplicatePolicy } from '../entities/import.ts';
import { Refusal } from '../errors.ts';
import { isCurrency } from '../imports/recognition/numbers.ts';
import {
  type ColumnMapping,
  type ColumnTarget,
  type DateOrder,
  type DecimalMark,
  type TargetField,
  targetFields,
  type ValueSettings,
} from '../imports/recognition/mapping.ts';
import { type Encoding, type ReadOptions, separators } from '../imports/sheet.ts';
import type { FieldGroup } from '../permissions/field-groups.ts';
import { sql } from '../sql.ts';
import type { Viewer } from './app.ts';
import { updatesContacts } from './import-rows.ts';
import { readCustomFields } from './references.ts';
import { checkLength, readText } from './text.ts';
import { mustHold, mustSee, sees } from './visibility.ts';

/** What somebody says of a column. */
export interface ColumnChoice {
  index: number;
  target: ColumnTarget | null;
  dateOrder?: DateOrder | null | undefined;
  decimal?: DecimalMark | null | undefined;
}

/** How a file is to be read, what its columns are for, and what becomes of duplicates. What is left out stays. */
export interface ImportChoices {
  encoding?: Encoding | null | undefined;
  separator?: string | null | undefined;
  quote?: string | null | undefined;
  sheet?: string | null | undefined;
  headerRow?: number | null | undefined;
  columns?: readonly ColumnChoice[] | null | undefined;
  /** ISO 3166-1 alpha-2. */
  country?: string | null | undefined;
  /** ISO 4217. */
  currency?: string | null | undefined;
  dateOrder?: DateOrder | null | undefined;
  decimal?: DecimalMark | null | undefined;
  duplicatePolicy?: DuplicatePolicy | null | undefined;
  deletedPolicy?: DeletedPolicy | null | undefined;
  /** A template whose choices come before these. */
  templateId?: string | null | undefined;
}

/** Writes choices down. @returns whether rows must be read anew */
export async function choose(tx: Transaction, viewer: Viewer, id: string, choices: ImportChoices): Promise<boolean> {
  const now = (await tx.row<{ options: ReadOptions; mapping: ColumnMapping[]; settings: ValueSettings; facts: { header: string[] } | null }>(sql`
    select read_options as options, mapping, settings, facts from import where organization_id = ${tx.organizationId} and id = ${id}`))!;
  const options = checkOptions({ ...now.options, ...given(choices, ['encoding', 'separator', 'quote', 'sheet', 'headerRow']) });
  const settings = checkSettings({
    ...now.settings,
    ...given(choices, ['country', 'dateOrder', 'decimal']),
    currency: choices.currency ?? now.settings.currency,
  });
  // Read in another way, the file has other columns.
  const reread = JSON.stringify(options) !== JSON.stringify(now.options);
  const mapping = await chooseColumns(tx, viewer, reread ? [] : now.mapping, choices.columns ?? [], now.facts?.header ?? []);
  if (updatesContacts(choices.duplicatePolicy)) mustHold(viewer, 'contacts:update');
  await tx.run(sql`
    update import set read_options = ${JSON.stringify(options)}, settings = ${JSON.stringify(settings)}, mapping = ${JSON.stringify(mapping)},
      duplicate_policy = coalesce(${choices.duplicatePolicy ?? null}, duplicate_policy), deleted_policy = coalesce(${choices.deletedPolicy ?? null}, deleted_policy)
    where organization_id = ${tx.organizationId} and id = ${id}`);
  return reread || JSON.stringify([settings, mapping]) !== JSON.stringify([now.settings, now.mapping]);
}

const given = <Name extends keyof ImportChoices>(choices: ImportChoices, names: readonly Name[]): Pick<ImportChoices, Name> =>
  Object.fromEntries(names.flatMap((name) => (choices[name] === undefined ? [] : [[name, choices[name]]]))) as Pick<ImportChoices, Name>;

const bad = (field: string, message: string) => new Refusal('BAD_SETTING', `${message} Nothing was changed.`, ['input', field]);

function checkOptions(options: ReadOptions): ReadOptions {
  const { separator, quote, sheet, headerRow } = options;
  if (separator != null && !separators.includes(separator)) throw bad('separator', 'A separator is a comma, a semicolon, a tab or a vertical bar.');
  if (quote != null && !['"', "'", ''].includes(quote)) throw bad('quote', 'The quotation mark is " or \', or empty where there is none.');
  readText(sheet, ['input', 'sheet']);
  if (headerRow != null && (headerRow < 1 || headerRow > 1000)) throw bad('headerRow', 'The row with the column names is one of the first 1,000.');
  return options;
}

function checkSettings(settings: ValueSettings): ValueSettings {
  const { country, currency } = settings;
  if (country !== null && !/^[A-Z]{2}$/.test(country)) throw bad('country', 'A country is a code of two capital letters (ISO 3166-1), as in DE.');
  if (!isCurrency(currency)) throw bad('currency', 'A currency is a code of three capital letters (ISO 4217), as in EUR.');
  return settings;
}

const targetNames = Object.keys(targetFields) as TargetField[];

/** What one must see of contacts to fill a field with a column. */
const groupsOfTarget = (field: ColumnTarget['field']): FieldGroup[] => {
  if (/EMAIL|PHONE|WEBSITE/.test(field)) return ['EMAIL_AND_PHONE'];
  if (/STREET|CITY|REGION|POSTAL|COUNTRY|ADDRESS/.test(field)) return ['ADDRESS'];
  if (field === 'BIRTH_DATE') return ['BIRTH_DATE'];
  if (field === 'NOTE') return ['NOTES'];
  if (field === 'CUSTOM_FIELD') return ['CUSTOM_FIELDS'];
  return isMoney(field) ? ['PAYMENTS', 'BALANCES'] : [];
};

const isMoney = (field: ColumnTarget['field']): boolean => field === 'OPENING_BALANCE' || field === 'AMOUNT_DUE';

/** The fields that columns are not recognized as for this viewer. */
export const barredFor = (viewer: Viewer): string[] =>
  targetNames.filter((field) => !sees(viewer, groupsOfTarget(field)) || (isMoney(field) && !viewer.permissions.has('payments:create')));

/** @throws Refusal HIDDEN_FIELD; Forbidden */
export function mustFill(viewer: Viewer, { field }: ColumnTarget, path: string[]): void {
  mustSee(viewer, groupsOfTarget(field), path);
  if (isMoney(field)) mustHold(viewer, 'payments:create');
}

/** As many as are chosen for at once; files have fewer. */
const mostColumns = 500;

/** The mapping with what was chosen. @throws Refusal UNKNOWN_COLUMN, UNKNOWN_CUSTOM_FIELD, HIDDEN_FIELD; Forbidden */
async function chooseColumns(
  tx: Transaction,
  viewer: Viewer,
  mapping: ColumnMapping[],
  columns: readonly ColumnChoice[],
  header: readonly string[],
): Promise<ColumnMapping[]> {
  checkLength(columns, mostColumns, ['input', 'columns']);
  for (const [place, { target }] of columns.entries())
    for (const name of ['label', 'customFieldKey'] as const) readText(target?.[name], ['input', 'columns', String(place), name]);
  const keys = columns.flatMap(({ target }) => target?.customFieldKey ?? []);
  const customFields = new Set((await readCustomFields(tx, keys)).map(({ key }) => key));
  const chosen = new Map(mapping.map((column) => [column.index, column]));
  for (const [place, { index, target, dateOrder, decimal }] of columns.entries()) {
    const path = ['input', 'columns', String(place)];
    const now = chosen.get(index);
    if (!now)
      throw new Refusal(
        'UNKNOWN_COLUMN',
        `The file has ${header.length} columns, counted from 0, and no such one. Nothing was changed. Look at \`columns\` of the import.`,
        path,
      );
    if (target) mustFill(viewer, target, path);
    if (target?.field === 'CUSTOM_FIELD' && !customFields.has(target.customFieldKey ?? ''))
      throw new Refusal('UNKNOWN_CUSTOM_FIELD', 'There is no such custom field. Nothing was changed. Give the `key` of one of `customFieldDefinitions`.', path);
    chosen.set(index, { ...now, target, confidence: 1, dateOrder: dateOrder ?? null, dateForm: null, decimal: decimal ?? null });
  }
  return [...chosen.values()];
}
