// From rows to what the database takes in: runs in the readers' process, so that the one that serves the API stays free.
import { writtenColumns, writtenTypes } from '../domain/contact-columns.ts';
import { comparableForm } from '../domain/contact-points.ts';
import { derive } from '../domain/derived-fields.ts';
import { newIdOfMany as newId } from '../ids.ts';
import type { MatchKey } from '../entities/import.ts';
import type { RowDraft } from './draft.ts';
import { type KnownBy, matchKeys } from './match-keys.ts';
import type { RowProblem } from './problems.ts';
import { SeenKeys } from './seen-keys.ts';
import { Drafter } from './recognition/drafter.ts';
import { Evidence, type Question } from './recognition/evidence.ts';
import type { ColumnMapping, Known, ValueSettings } from './recognition/mapping.ts';
import type { SheetRow } from './sheet.ts';

type DraftField = keyof typeof writtenColumns;
const draftFields = Object.keys(writtenColumns) as DraftField[];

/** The columns of a line, as a temporary table has them. */
export const stageColumns: readonly (readonly [name: string, type: string])[] = [
  ['row_number', 'int'],
  ['kind', 'text'],
  ['matched_by', 'text'],
  ['repeats', 'int'],
  ['taken', 'text'],
  ['cells', 'jsonb'],
  ['problems', 'jsonb'],
  ['contact_id', 'uuid'],
  ...writtenTypes,
  ['owned', 'jsonb'],
  ['owned_count', 'int'],
  ['emails', 'text[]'],
  ['phones', 'text[]'],
];

/** What the reading process needs to know. */
export interface StagingTask {
  mapping: ColumnMapping[];
  settings: ValueSettings;
  known: Known;
  /** Their keys, and their ids. */
  customFields: [key: string, id: string][];
  /** Their names, and their ids. */
  plans: [name: string, id: string][];
}

/** What the whole file has told of how its values are to be read. */
export interface StagingResult {
  mapping: ColumnMapping[];
  questions: Question[];
}

/** What names in a file stand for. */
interface StagingReferences {
  /** Ids by key. */
  customFields: ReadonlyMap<string, string>;
  /** Ids by name. */
  plans: ReadonlyMap<string, string>;
}

/** What a contact owns from the start, as the column `owned` has it. Lists that are empty are left out; null when all are. */
export interface StagedOwned {
  points?: { id: string; kind: RowDraft['contactPoints'][number]['kind']; label: string | null; value: string; normalized: string }[];
  tags?: string[];
  customFields?: { definitionId: string; value: string }[];
  notes?: { id: string; body: string }[];
  memberships?: { id: string; planId: string; startsOn: string; endsOn: string | null }[];
  opening?: { id: string; amountMinor: number; currency: string }[];
}

/** A contact ready to be written. */
export type StagedDraft = StagedOwned & { [field in DraftField]?: string } & { id: string };

/** More tags than this are no tags but texts of some other kind. */
const mostTags = 2_000;
/** Of a row that has no draft, this many cells of this length are kept to be shown. */
const shown = { cells: 50, length: 200 };

/** Turns the rows of one file into lines, and finds those that repeat an earlier one. */
export class Stager {
  readonly #seen = new SeenKeys();
  readonly #tags = new Set<string>();
  readonly #drafter: Drafter;
  readonly #evidence: Evidence;
  readonly #references: StagingReferences;

  constructor({ mapping, settings, known, customFields, plans }: StagingTask) {
    this.#drafter = new Drafter(mapping, settings, known);
    this.#evidence = new Evidence(mapping, settings, known);
    this.#references = { customFields: new Map(customFields), plans: new Map(plans) };
  }

  result(): StagingResult {
    return { mapping: this.#evidence.settled(), questions: this.#evidence.questions() };
  }

  /** A line for each row, in PostgreSQL's text format for COPY. */
  lines(rows: readonly SheetRow[]): string {
    let lines = '';
    for (const row of rows) lines += this.#line(row);
    return lines;
  }

  #line(row: SheetRow): string {
    this.#evidence.observe(row);
    const read = row.problem ? { problems: [row.problem] } : this.#drafter.draft(row);
    if ('problems' in read) return refused(row, read.problems);
    if (!this.#fits(read.draft.tags)) return refused(row, [tooManyTags]);
    const { fields } = read.draft;
    const derived = derive(fields);
    const owned = own(read.draft, this.#references);
    const phones = phoneForms(read.draft, owned);
    const emails = emailForms(derived.emailNormalized, owned);
    const repeats = this.#repeated(row.rowNumber, {
      emails,
      phones: numbersOf(read.draft, phones),
      memberNumber: fields.memberNumber,
      // As the database holds it against live contacts: its first 200 characters.
      name: fields.lastName === undefined && fields.firstName === undefined ? '' : derived.sortName,
      birthDate: fields.birthDate,
    });
    const given: { [field in DraftField]?: string | null } = { ...fields, ...derived };
    let draft = newId();
    for (const field of draftFields) draft += given[field] == null ? '\t\\N' : `\t${escaped(given[field])}`;
    const told = owned === null ? '\\N' : json(owned);
    return `${row.rowNumber}\t${repeats ? 'REPEATED' : 'NEW'}\t${repeats?.by ?? '\\N'}\t${repeats?.row ?? '\\N'}\t${repeats?.taken ?? '\\N'}\t\\N\t\\N\t${draft}\t${told}\t${countOf(owned)}\t${list(emails)}\t${list(phones)}\n`;
  }

  /** The earlier row of the same contact, and what it is told by, in the order of trust. */
  #repeated(row: number, known: KnownBy): { row: number; by: MatchKey; taken: 'MEMBER_NUMBER' | undefined } | undefined {
    let found: { row: number; by: MatchKey; taken: 'MEMBER_NUMBER' | undefined } | undefined;
    for (const [by, key] of matchKeys(known)) {
      const first = this.#seen.first(key, row);
      if (first === row) continue;
      found ??= { row: first, by, taken: undefined };
      // Whatever it is known by, no second contact can have the number.
      if (by === 'MEMBER_NUMBER') found.taken = by;
    }
    return found;
  }

  #fits(tags: readonly string[]): boolean {
    for (const tag of tags) this.#tags.add(tag);
    return this.#tags.size <= mostTags;
  }
}

const tooManyTags: RowProblem = {
  code: 'TOO_MANY_TAGS',
  message: `The file has more than ${mostTags.toLocaleString('en')} different tags up to this row. Is the column of another kind? Change what it is for.`,
};

function own(draft: RowDraft, references: StagingReferences): StagedOwned | null {
  const owned = {
    ...some('points', draft.contactPoints, (point) => ({ id: newId(), ...point, normalized: comparableForm(point.kind, point.value) })),
    ...some('tags', draft.tags, (tag) => tag),
    ...some('customFields', draft.customFields, ({ key, value }) => ({ definitionId: references.customFields.get(key)!, value })),
    ...some('notes', draft.notes, (body) => ({ id: newId(), body })),
    ...some('memberships', draft.memberships, ({ planName, startsOn, endsOn }) => ({ id: newId(), planId: references.plans.get(planName)!, startsOn, endsOn })),
    ...some('opening', draft.openingBalances, (balance) => ({ id: newId(), ...balance })),
  };
  for (const _ in owned) return owned;
  return null;
}

/** How many rows it makes. Balances are sums and not counted. */
function countOf(owned: StagedOwned | null): number {
  let count = 0;
  for (const list of Object.values(owned ?? {})) count += list.length;
  return count;
}

const some = <Name extends string, Given, Made>(name: Name, list: readonly Given[], make: (given: Given) => Made): { [name in Name]?: Made[] } =>
  list.length > 0 ? ({ [name]: list.map(make) } as { [name in Name]?: Made[] }) : {};

function emailForms(email: string | null, owned: StagedOwned | null): string[] {
  const forms = email ? [email] : [];
  for (const { kind, normalized } of owned?.points ?? []) if (kind === 'EMAIL') addOnce(forms, normalized);
  return forms;
}

/** A key for each number: within a file all that could be understood are written alike. */
const numbersOf = ({ phones, contactPoints }: RowDraft, forms: string[]): string[] =>
  phones.length === contactPoints.filter(({ kind }) => kind === 'PHONE').length ? phones : forms;

/** The numbers as the row has them and in E.164, with and without the plus: a live contact's may have been written in any of these. */
function phoneForms({ phones }: RowDraft, owned: StagedOwned | null): string[] {
  const forms: string[] = [];
  for (const { kind, normalized } of owned?.points ?? []) if (kind === 'PHONE') addOnce(forms, normalized);
  for (const phone of phones) {
    addOnce(forms, phone);
    addOnce(forms, phone.slice(1));
  }
  return forms;
}

function addOnce(texts: string[], text: string): void {
  if (!texts.includes(text)) texts.push(text);
}

function refused({ rowNumber, cells, card }: SheetRow, problems: readonly RowProblem[]): string {
  const kept = (card === undefined ? cells : [card]).slice(0, shown.cells).map((cell) => storable(cell.slice(0, shown.length)));
  return `${rowNumber}\tREFUSED\t\\N\t\\N\t\\N\t${json(kept)}\t${json(problems)}${noDraft}\n`;
}

/** The columns of a line from the contact's id on. */
const noDraft = '\t\\N'.repeat(stageColumns.length - stageColumns.findIndex(([column]) => column === 'contact_id'));

/** What PostgreSQL can't keep is shown as what it is: something that could not be read. */
const storable = (cell: string): string => cell.toWellFormed().replaceAll('\0', '�');

const json = (value: unknown): string => escaped(JSON.stringify(value));
/** @see https://www.postgresql.org/docs/current/arrays.html, “Array Input and Output Syntax” */
function list(values: readonly (string | null | undefined)[]): string {
  if (values.length === 0) return '\\N';
  let text = '';
  for (const value of values) text += value == null ? ',NULL' : `,"${quotable.test(value) ? value.replace(/["\\]/g, '\\$&') : value}"`;
  return escaped(`{${text.slice(1)}}`);
}
const quotable = /["\\]/;

const special = /[\\\n\r\t]/;
/** @see https://www.postgresql.org/docs/current/sql-copy.html, “Text Format” */
function escaped(value: string): string {
  if (!special.test(value)) return value;
  return value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('\r', '\\r').replaceAll('\t', '\\t');
}
