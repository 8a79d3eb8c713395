// A row in the making: what its columns have given so far, how that is added to, and what is made of it at the end.
import { lineLength, textLength } from '../../domain/text.ts';
import type { RowDraft } from '../draft.ts';
import type { RowProblem } from '../problems.ts';
import type { Address } from './addresses.ts';
import { endsBeforeStart, incompleteMembership, mostValues, noName, plain, tooLong, tooManyValues } from './faults.ts';
import { splitName } from './names.ts';
import { foldWords } from './text.ts';
import { isSameEmail } from './values.ts';

/** The longest value of a contact point, and the longest name of a tag, in characters. */
export const pointLength = 1_000;
export const tagLength = 100;

interface Membership {
  planName?: string;
  startsOn?: string;
  endsOn?: string;
}

type Points = RowDraft['contactPoints'];

/** A row while it is read. */
export interface Work {
  cells: readonly string[];
  problems: RowProblem[];
  draft: RowDraft;
  middleName: string | undefined;
  suffix: string | undefined;
  names: { name: string; header: string; lastFirst: boolean }[];
  phones: Points;
  addresses: (Address | undefined)[];
  memberships: (Membership | undefined)[];
  /** What has no place of its own. */
  rest: string[];
}

/** Takes a value of its column in. */
export type Read = (value: string, work: Work) => void;
/** Keeps from a column what is no text, or longer than this. */
export type Guard = (longest: number, read: Read) => Read;

export const compose = (cell: string): string => (plain.test(cell) ? cell : cell.normalize('NFC')).trim();
export const lineBreak = /(?<!\s)\s*[\r\n]\s*/g;

export const oneLine = (value: string): string => (value.includes('\n') || value.includes('\r') ? value.replace(lineBreak, ' ') : value);

/** A second value for a field that has one goes to the rest. */
export function setOnce<Name extends string>(owner: { [name in Name]?: string | undefined }, name: Name, value: string, header: string, rest: string[]): void {
  const earlier = owner[name];
  if (earlier === undefined) owner[name] = value;
  else if (earlier !== value && value !== '') rest.push(`${header}: ${value}`);
}

export function addEmail(draft: RowDraft, email: string, label: string | null): void {
  const own = draft.fields.email;
  if (own === undefined) draft.fields.email = email;
  else if (!isSameEmail(own, email)) addPoint(draft.contactPoints, 'EMAIL', email, label);
}

/** Adds what is not there yet; one more than there may be is enough to refuse the row. */
export function addPoint(points: Points, kind: Points[number]['kind'], value: string, label: string | null): void {
  if (points.length > mostValues) return;
  for (const point of points) if (point.kind === kind && point.value.length === value.length && point.value.toLowerCase() === value.toLowerCase()) return;
  points.push({ kind, label, value });
}

/** The same of a tag. */
export function addTag(tags: string[], tag: string): void {
  if (tags.length <= mostValues && !tags.includes(tag)) tags.push(tag);
}

export function finishNames({ draft: { fields }, names, middleName, suffix, rest }: Work): void {
  let known: Set<string> | undefined;
  for (const { name, header, lastFirst } of names) {
    if (fields.firstName === undefined && fields.lastName === undefined) Object.assign(fields, splitName(name, lastFirst));
    else if (!hasWords((known ??= wordsOf([fields.firstName, middleName, fields.lastName, suffix])), name)) rest.push(`${header}: ${name}`);
  }
  if (middleName) fields.firstName = fields.firstName === undefined ? middleName : `${fields.firstName} ${middleName}`;
  if (suffix) fields.lastName = fields.lastName === undefined ? suffix : `${fields.lastName} ${suffix}`;
}

export const wordsOf = (texts: readonly (string | undefined)[]): Set<string> => new Set(texts.flatMap((one) => (one ? foldWords(one).split(' ') : [])));

/** True where every word of a text is known. */
export const hasWords = (known: Set<string>, text: string): boolean =>
  foldWords(text)
    .split(' ')
    .every((word) => known.has(word));

export function finishMemberships({ memberships, draft, problems }: Work): void {
  for (const membership of memberships) {
    if (!membership) continue;
    const { planName, startsOn, endsOn } = membership;
    // Of an empty text the problem is known already.
    if (planName === undefined || startsOn === undefined) problems.push(incompleteMembership);
    else if (endsOn && startsOn && endsOn < startsOn) problems.push(endsBeforeStart);
    else if (planName && startsOn && endsOn !== '') draft.memberships.push({ planName, startsOn, endsOn: endsOn ?? null });
  }
}

/** What only the whole draft shows. */
export function check({ draft, problems }: Work): void {
  const { fields, contactPoints, tags, notes } = draft;
  if (problems.length > 0) return;
  if (!fields.firstName && !fields.lastName && !fields.company && !fields.email) problems.push(noName);
  if (contactPoints.length > mostValues || tags.length > mostValues || notes.length > mostValues) problems.push(tooManyValues);
  // Those that are made of several values, or are parts of one; a column sees to the others.
  const { firstName, lastName, street, city, postalCode, country } = fields;
  if ([firstName, lastName, street, city, postalCode, country].some((value) => value !== undefined && value.length > lineLength))
    problems.push(tooLong(lineLength));
  if (contactPoints.some(({ value }) => value.length > pointLength)) problems.push(tooLong(pointLength));
  if (notes.some((note) => note.length > textLength)) problems.push(tooLong(textLength));
}
