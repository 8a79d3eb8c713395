// Writes files of members as clubs have them, all different people, as CSV and as a workbook. Arguments: how many, and the directory.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { csvLines } from '../src/exports/csv.ts';
import { writeXlsx } from '../src/exports/xlsx.ts';

export const header = [
  'Member No,First Name,Last Name,Email,Mobile,Company,Job Title,Street,City,Postal Code,Country,Birth Date',
  'Membership Plan,Membership Start,Membership Expiry',
].flatMap((names) => names.split(','));

const member = (place: number): string[] => [
  String(place).padStart(7, '0'),
  `Aaliyah ${place % 97}`,
  `Bosco ${place % 1013}`,
  `aaliyah.bosco${place}@example.org`,
  `+1 415 ${String(200 + (place % 700))}-${String(place % 10_000).padStart(4, '0')}`,
  'Roob, Rath and Balistreri',
  'Lead Functionality Facilitator',
  `${place % 900} Auer Springs`,
  'Port Monserrat',
  '10101-2750',
  'Bahrain',
  `${1940 + (place % 60)}-04-${String((place % 28) + 1).padStart(2, '0')}`,
  'Family',
  '2021-11-13',
  '2027-11-13',
];

async function* pages(count: number): AsyncGenerator<string[][]> {
  for (let start = 0; start < count; start += 1_000) yield Array.from({ length: Math.min(1_000, count - start) }, (_, place) => member(start + place));
}

async function* csv(count: number): AsyncGenerator<string> {
  yield csvLines([header]);
  for await (const rows of pages(count)) yield csvLines(rows);
}

if (import.meta.main) {
  const [count, directory] = [Number(process.argv[2]), process.argv[3]!];
  await writeFile(join(directory, 'members.csv'), csv(count));
  const columns = header.map((name) => ({ header: name, kind: /(Date|Start|Expiry)$/.test(name) ? 'DATE' : 'TEXT' }) as const);
  await writeFile(join(directory, 'members.xlsx'), Readable.from(writeXlsx(columns, pages(count), { name: 'Members' })));
}
