// What the columns of a contact file are for, and what its rows become: files as the named products write them, headers
// of those products and languages, and each kind of value, good, odd and bad.
import { readFileSync } from 'node:fs';
import { parse } from 'csv-parse/sync';
import { getCountries, getExampleNumber, parsePhoneNumberFromString } from 'libphonenumber-js/core';
import examples from 'libphonenumber-js/examples.mobile.json';
import metadata from 'libphonenumber-js/min/metadata';
import { describe, expect, test } from 'vitest';
import { normalizeEmail } from '../src/domain/email.ts';
import type { RowDraft } from '../src/imports/draft.ts';
import type { RowProblem } from '../src/imports/problems.ts';
import { countryCode } from '../src/imports/recognition/countries.ts';
import { Drafter } from '../src/imports/recognition/drafter.ts';
import { Evidence } from '../src/imports/recognition/evidence.ts';
import { type ColumnMapping, type ColumnTarget, type Known, type TargetField, targetFields, type ValueSettings } from '../src/imports/recognition/mapping.ts';
import { splitName } from '../src/imports/recognition/names.ts';
import { toE164 } from '../src/imports/recognition/phones.ts';
import { recognize } from '../src/imports/recognition/recognize.ts';
import { isEmail } from '../src/imports/recognition/values.ts';
import type { SheetRow } from '../src/imports/sheet.ts';

const settings: ValueSettings = { country: 'US', currency: 'USD', dateOrder: null, decimal: null };
const plans = ['Family', 'Student', 'Patron', 'Honorary', 'Adult'];
const nothingKnown: Known = { customFields: [], plans: [] };

interface Options {
  settings?: Partial<ValueSettings>;
  known?: Partial<Known>;
  mappings?: (mappings: ColumnMapping[]) => ColumnMapping[];
}

/** A whole file: looked through once, then drafted. */
function read(header: string[], body: string[][], { settings: given, known: has, mappings: change = (mappings) => mappings }: Options = {}) {
  const known = { ...nothingKnown, ...has };
  const all = { ...settings, ...given };
  const rows = body.map((cells, index): SheetRow => ({ rowNumber: index + 2, cells }));
  const mappings = change(recognize(header, body.slice(0, 100), known));
  const evidence = new Evidence(mappings, all, known);
  for (const row of rows) evidence.observe(row);
  const drafter = new Drafter(evidence.settled(), all, known);
  const results = rows.map((row) => drafter.draft(row));
  return {
    mappings,
    settled: evidence.settled(),
    questions: evidence.questions(),
    results,
    drafts: results.flatMap((result) => ('draft' in result ? [result.draft] : [])),
    problems: results.flatMap((result) => ('problems' in result ? result.problems : [])),
  };
}

const sample = (name: string, encoding = 'utf-8', delimiter = ',', options: Options = {}) => {
  const file = new URL(name === 'riverside-club.csv' ? `../samples/${name}` : `fixtures/samples/${name}`, import.meta.url);
  const [header, ...body] = parse(new TextDecoder(encoding).decode(readFileSync(file)), { delimiter, relax_column_count: true });
  return { header: header!, body, ...read(header!, body, options) };
};

/** `Business Street: STREET Work`; what is not imported is left out. */
const shown = (mappings: ColumnMapping[]) => mappings.filter(({ target }) => target).map(({ header, target }) => `${header}: ${spell(target!)}`);
const spell = ({ field, label, ordinal, currency }: ColumnTarget) => [field, label, ordinal && `#${ordinal}`, currency].filter(Boolean).join(' ');

/** The draft of one row whose cells stand beside their headers. */
function draftOf(cells: Record<string, string>, options?: Options): RowDraft {
  const { results } = read(Object.keys(cells), [Object.values(cells)], options);
  expect(results).toEqual([{ draft: expect.anything() }]);
  return (results as { draft: RowDraft }[])[0]!.draft;
}
const fieldsOf = (cells: Record<string, string>, options?: Options) => draftOf(cells, options).fields;
function problemsOf(cells: Record<string, string>, options?: Options): RowProblem[] {
  const { results } = read(Object.keys(cells), [Object.values(cells)], options);
  expect(results).toEqual([{ problems: expect.anything() }]);
  return (results as { problems: RowProblem[] }[])[0]!.problems;
}
const codesOf = (cells: Record<string, string>, options?: Options) => problemsOf(cells, options).map(({ code, column }) => [code, column]);

const empty: RowDraft = { fields: {}, contactPoints: [], phones: [], tags: [], customFields: [], notes: [], memberships: [], openingBalances: [] };

describe('a file of', () => {
  test('Google Contacts', () => {
    const { mappings, drafts, problems, questions } = sample('google.csv');
    expect(shown(mappings)).toEqual([
      'First Name: FIRST_NAME',
      'Middle Name: MIDDLE_NAME',
      'Last Name: LAST_NAME',
      'Name Suffix: NAME_SUFFIX',
      'Organization Name: COMPANY',
      'Organization Title: JOB_TITLE',
      'Birthday: BIRTH_DATE',
      'Notes: NOTE',
      'Labels: TAGS',
      'E-mail 1 - Label: EMAIL_LABEL #1',
      'E-mail 1 - Value: EMAIL #1',
      'E-mail 2 - Label: EMAIL_LABEL #2',
      'E-mail 2 - Value: FURTHER_EMAIL #2',
      'Phone 1 - Label: PHONE_LABEL #1',
      'Phone 1 - Value: PHONE #1',
      'Address 1 - Label: ADDRESS_LABEL #1',
      'Address 1 - Formatted: FULL_ADDRESS #1',
      'Address 1 - Street: STREET #1',
      'Address 1 - City: CITY #1',
      'Address 1 - PO Box: STREET #1',
      'Address 1 - Region: REGION #1',
      'Address 1 - Postal Code: POSTAL_CODE #1',
      'Address 1 - Country: COUNTRY #1',
      'Address 1 - Extended Address: STREET #1',
      'Website 1 - Label: WEBSITE_LABEL #1',
      'Website 1 - Value: WEBSITE #1',
    ]);
    expect(mappings.every(({ confidence }) => confidence === 1)).toBe(true);
    expect([drafts.length, problems, questions]).toEqual([300, [], []]);
    expect(drafts[0]).toEqual({
      ...empty,
      fields: {
        firstName: 'Jettie',
        lastName: 'Kuhic',
        email: 'jettie.kuhic0@example.org',
        company: 'Rosenbaum - Hamill',
        jobTitle: 'Direct Security Developer',
        street: '1448 Park Crescent',
        city: 'Germaineburgh',
        postalCode: '30302',
        country: 'Senegal',
      },
      contactPoints: [
        { kind: 'EMAIL', label: 'Work', value: 'second.jettie.kuhic0@example.org' },
        { kind: 'EMAIL', label: 'Home', value: 'home.jettie.kuhic0@example.org' },
        { kind: 'ADDRESS', label: 'Home', value: '1448 Park Crescent, Germaineburgh, South Carolina 30302, Senegal' },
        { kind: 'PHONE', label: 'Mobile', value: '598-718-8160' },
      ],
      phones: ['+15987188160'],
      tags: ['Board'],
      notes: ['Libero praesentium conturbo asporto debeo tabella advenio accusator tepesco.', 'Birthday: --10-16'],
    });
    expect(drafts[1]).toMatchObject({ fields: { birthDate: '1964-10-14' }, tags: [], notes: [] });
    expect(drafts.filter(({ tags }) => tags.length > 0)).toHaveLength(150);
  });

  test('Google Contacts as it was before', () => {
    const { mappings, drafts, problems } = sample('google-legacy.csv');
    expect(shown(mappings)).toEqual([
      'Name: FULL_NAME',
      'Given Name: FIRST_NAME',
      'Additional Name: MIDDLE_NAME',
      'Family Name: LAST_NAME',
      'Name Suffix: NAME_SUFFIX',
      'Birthday: BIRTH_DATE',
      'Occupation: JOB_TITLE',
      'Notes: NOTE',
      'Group Membership: TAGS',
      'E-mail 1 - Type: EMAIL_LABEL #1',
      'E-mail 1 - Value: EMAIL #1',
      'Phone 1 - Type: PHONE_LABEL #1',
      'Phone 1 - Value: PHONE #1',
      'Organization 1 - Name: COMPANY #1',
    ]);
    expect([drafts.length, problems]).toEqual([80, []]);
    expect(drafts[2]).toEqual({
      ...empty,
      fields: { firstName: 'Luis', lastName: 'Lesch', email: 'luis.lesch2@example.org', company: 'Haley and Sons', birthDate: '1949-03-22' },
      contactPoints: [{ kind: 'PHONE', label: 'Mobile', value: '1-525-974-4645 x9981' }],
      phones: ['+15259744645;ext=9981'],
      notes: ['Vox carmen adopto volva tenetur defetiscor demulceo veritas constans.'],
    });
  });

  test('Outlook', () => {
    const { mappings, drafts, problems, settled } = sample('outlook.csv', 'utf-8', ',', { settings: { country: 'FR' } });
    expect(shown(mappings)).toEqual([
      'First Name: FIRST_NAME',
      'Middle Name: MIDDLE_NAME',
      'Last Name: LAST_NAME',
      'Suffix: NAME_SUFFIX',
      'Company: COMPANY',
      'Job Title: JOB_TITLE',
      'Business Street: STREET Work',
      'Business City: CITY Work',
      'Business State: REGION Work',
      'Business Postal Code: POSTAL_CODE Work',
      'Business Country/Region: COUNTRY Work',
      'Home Phone: PHONE Home',
      'Mobile Phone: PHONE Mobile',
      'Birthday: BIRTH_DATE',
      'Categories: TAGS',
      'E-mail Address: EMAIL',
      'E-mail 2 Address: FURTHER_EMAIL #2',
      'Notes: NOTE',
      'Web Page: WEBSITE',
    ]);
    expect([drafts.length, problems]).toEqual([200, []]);
    expect(settled.find(({ header }) => header === 'Birthday')!.dateOrder).toBe('MDY');
    expect(drafts[0]).toEqual({
      ...empty,
      fields: {
        firstName: 'Astrée',
        lastName: 'Rousseau',
        email: 'astree.rousseau0@example.org',
        company: 'Perrin EURL',
        jobTitle: 'Producteur de configuration client',
        street: '3648 Rue des Rosiers',
        city: 'Perpignan',
        postalCode: '37969',
        country: 'Saint-Marin',
        birthDate: '1997-09-22',
      },
      contactPoints: [
        { kind: 'ADDRESS', label: 'Work', value: '3648 Rue des Rosiers, Perpignan, Champagne-Ardenne 37969, Saint-Marin' },
        { kind: 'PHONE', label: 'Mobile', value: '0609126980' },
      ],
      phones: ['+33609126980'],
      tags: ['Members', 'Donors'],
      notes: ['Voluptate aliquid repellat eos delectus autem.'],
    });
    // 0/0/00 is no date.
    expect(drafts.filter(({ fields }) => fields.birthDate)).toHaveLength(100);
  });

  test('HubSpot', () => {
    const { mappings, drafts, problems } = sample('hubspot.csv');
    expect(shown(mappings)).toEqual(['First Name: FIRST_NAME', 'Last Name: LAST_NAME', 'Email: EMAIL', 'Phone Number: PHONE', 'Primary Company: COMPANY']);
    expect([drafts.length, problems]).toEqual([200, []]);
    expect(drafts[0]).toEqual({
      ...empty,
      fields: { firstName: 'Robert', lastName: 'Kling-Monahan', email: 'robert.klingmonahan0@example.org', company: 'Erdman - Bartoletti' },
      contactPoints: [{ kind: 'PHONE', label: null, value: '1-770-408-3623' }],
      phones: ['+17704083623'],
    });
  });

  test('Salesforce', () => {
    const { mappings, drafts, problems } = sample('salesforce.csv', 'windows-1252');
    expect(shown(mappings)).toEqual([
      'First Name: FIRST_NAME',
      'Last Name: LAST_NAME',
      'Title: JOB_TITLE',
      'Account Name: COMPANY',
      'Mailing Street: STREET',
      'Mailing City: CITY',
      'Mailing State/Province: REGION',
      'Mailing Zip/Postal Code: POSTAL_CODE',
      'Mailing Country: COUNTRY',
      'Phone: PHONE',
      'Mobile: PHONE Mobile',
      'Email: EMAIL',
      'Birthdate: BIRTH_DATE',
    ]);
    expect([drafts.length, problems]).toEqual([200, []]);
    expect(drafts[0]).toEqual({
      ...empty,
      fields: {
        firstName: 'Robert',
        lastName: 'Kling-Monahan',
        email: 'robert.klingmonahan0@example.org',
        company: 'Erdman - Bartoletti',
        jobTitle: 'Senior Web Facilitator',
        street: '78065 Franecki Rapid',
        city: 'West Dee',
        postalCode: '36706',
        country: 'Mali',
        birthDate: '1954-06-12',
      },
      contactPoints: [
        { kind: 'ADDRESS', label: null, value: '78065 Franecki Rapid, West Dee, Minnesota 36706, Mali' },
        { kind: 'PHONE', label: 'Mobile', value: '1-770-408-3623' },
      ],
      phones: ['+17704083623'],
    });
  });

  test('Mailchimp', () => {
    const { mappings, drafts, problems, questions } = sample('mailchimp.csv');
    expect(shown(mappings)).toEqual([
      'Email Address: EMAIL',
      'First Name: FIRST_NAME',
      'Last Name: LAST_NAME',
      'Address: FULL_ADDRESS',
      'Phone Number: PHONE',
      'Birthday: BIRTH_DATE',
      'NOTES: NOTE',
      'TAGS: TAGS',
    ]);
    expect([drafts.length, problems, questions]).toEqual([120, [], []]);
    expect(drafts[0]).toEqual({
      ...empty,
      fields: { firstName: 'Robert', lastName: 'Kling-Monahan', email: 'robert.klingmonahan0@example.org' },
      contactPoints: [
        { kind: 'ADDRESS', label: null, value: '78065 Franecki Rapid, West Dee Minnesota 36706 US' },
        { kind: 'PHONE', label: null, value: '1-770-408-3623' },
      ],
      phones: ['+17704083623'],
      tags: ['Member', '2026 regatta'],
      notes: ['Birthday: 06/12'],
    });
  });

  test('Excel in German', () => {
    const customFields = [{ key: 'dues', label: 'Beitrag', kind: 'NUMBER' as const }];
    const { mappings, drafts, problems, questions } = sample('excel-german.csv', 'windows-1252', ';', { settings: { country: 'DE' }, known: { customFields } });
    expect(shown(mappings)).toEqual([
      'Mitgliedsnummer: MEMBER_NUMBER',
      'Vorname: FIRST_NAME',
      'Nachname: LAST_NAME',
      'E-Mail: EMAIL',
      'Telefon: PHONE',
      'Straße: STREET',
      'PLZ: POSTAL_CODE',
      'Ort: CITY',
      'Geburtsdatum: BIRTH_DATE',
      'Beitrag: CUSTOM_FIELD',
      'Bemerkung: NOTE',
    ]);
    expect([drafts.length, problems, questions]).toEqual([250, [], []]);
    expect(drafts[2]).toEqual({
      ...empty,
      fields: {
        memberNumber: '00002',
        firstName: 'Eva',
        lastName: 'Stang',
        email: 'eva.stang2@example.org',
        street: 'Auf dem Herberg 94',
        city: 'Süd Jonasburg',
        postalCode: '54260',
        birthDate: '1975-08-14',
      },
      contactPoints: [{ kind: 'PHONE', label: null, value: '+49-347-6239702' }],
      phones: ['+493476239702'],
      customFields: [{ key: 'dues', value: '1234.50' }],
      notes: ['Dolore ipsum neque maiores voluptate sapiente necessitatibus reprehenderit.'],
    });
  });

  test('Excel in French, with tabs', () => {
    const { mappings, drafts, problems } = sample('excel-unicode.txt', 'utf-16le', '\t', { settings: { country: 'FR' } });
    expect(shown(mappings)).toEqual(['Nom: LAST_NAME', 'Prénom: FIRST_NAME', 'Courriel: EMAIL', 'Téléphone: PHONE', 'Ville: CITY']);
    expect([drafts.length, problems]).toEqual([60, []]);
    expect(drafts[1]).toEqual({
      ...empty,
      fields: { firstName: 'Ambre', lastName: 'Jacquet', email: 'ambre.jacquet1@example.org', city: 'Nîmes' },
      contactPoints: [{ kind: 'PHONE', label: null, value: '0731637742' }],
      phones: ['+33731637742'],
    });
  });

  test('a club', () => {
    const { mappings, drafts, problems, questions } = sample('riverside-club.csv', 'utf-8', ',', { known: { plans } });
    expect(mappings.map(({ target }) => spell(target!))).toEqual(
      'MEMBER_NUMBER,FIRST_NAME,LAST_NAME,EMAIL,PHONE Mobile,COMPANY,JOB_TITLE,STREET,CITY,POSTAL_CODE,COUNTRY,BIRTH_DATE,MEMBERSHIP_PLAN,MEMBERSHIP_START,MEMBERSHIP_END,TAGS,NOTE'.split(
        ',',
      ),
    );
    expect(mappings.every(({ confidence }) => confidence === 1)).toBe(true);
    expect(questions).toEqual([]);
    expect(drafts).toHaveLength(4_990);
    expect(problems).toEqual(
      Array.from({ length: 10 }, () => ({
        code: 'INVALID_EMAIL',
        column: 'Email',
        message: 'This is not an email address. Write it like name@example.org, or leave the cell empty.',
      })),
    );
    expect(drafts[5]).toEqual({
      ...empty,
      fields: {
        memberNumber: '000006',
        firstName: '愛菜',
        lastName: '松崎',
        email: 'x.x6@example.org',
        company: '株式会社阿部化学',
        jobTitle: '事業セキュリティデザイナー',
        street: '5丁目7番7号',
        city: '心結区',
        postalCode: '387-3524',
        country: 'グレナダ',
        birthDate: '1987-03-02',
      },
      contactPoints: [{ kind: 'PHONE', label: 'Mobile', value: '02468-3-0292' }],
      tags: ['volunteer', 'board'],
      memberships: [{ planName: 'Family', startsOn: '2023-10-03', endsOn: '2027-10-03' }],
    });
    expect(drafts.filter(({ contactPoints }) => contactPoints.some(({ kind }) => kind === 'PHONE'))).toHaveLength(3_993);
  });

  test('Excel with members, plans and balances', () => {
    const header = 'Member No,First Name,Last Name,Email,Phone,Birth Date,Plan,Start,Expiry,Balance (USD),Tags'.split(',');
    const rows = [
      '000000,Krystal,Fadel,,(309) 607-1226 x42419,1946-11-29,Adult,2024-03-01,2026-03-01,-49.5,"rower, cox"',
      '000001,Amari,Legros,amari.legros1@example.org,(767) 217-3311 x457,1967-03-09,Adult,2024-03-01,2026-03-01,0,"rower, cox"',
    ].flatMap((row) => parse(row));
    const { mappings, drafts, problems } = read(header, rows, { known: { plans } });
    expect(shown(mappings).slice(4)).toEqual([
      'Phone: PHONE',
      'Birth Date: BIRTH_DATE',
      'Plan: MEMBERSHIP_PLAN',
      'Start: MEMBERSHIP_START',
      'Expiry: MEMBERSHIP_END',
      'Balance (USD): OPENING_BALANCE USD',
      'Tags: TAGS',
    ]);
    expect(problems).toEqual([]);
    expect(drafts[0]).toEqual({
      ...empty,
      fields: { memberNumber: '000000', firstName: 'Krystal', lastName: 'Fadel', birthDate: '1946-11-29' },
      contactPoints: [{ kind: 'PHONE', label: null, value: '(309) 607-1226 x42419' }],
      phones: ['+13096071226;ext=42419'],
      tags: ['rower', 'cox'],
      memberships: [{ planName: 'Adult', startsOn: '2024-03-01', endsOn: '2026-03-01' }],
      openingBalances: [{ amountMinor: -4950, currency: 'USD' }],
    });
    expect(drafts[1]!.openingBalances).toEqual([]);
  });

  test('any of these loses no word of a column that is imported', () => {
    const files = [
      sample('google.csv'),
      sample('google-legacy.csv'),
      sample('outlook.csv'),
      sample('hubspot.csv'),
      sample('mailchimp.csv'),
      sample('salesforce.csv', 'windows-1252'),
      sample('excel-german.csv', 'windows-1252', ';'),
      sample('excel-unicode.txt', 'utf-16le', '\t'),
      sample('riverside-club.csv', 'utf-8', ',', { known: { plans } }),
    ];
    const asDates = new Set<TargetField>(['BIRTH_DATE', 'MEMBERSHIP_START', 'MEMBERSHIP_END']);
    const lost: string[] = [];
    let cells = 0;
    for (const { mappings, results, body } of files)
      for (const [index, result] of results.entries()) {
        if (!('draft' in result)) continue;
        const text = JSON.stringify(result.draft).toLowerCase();
        for (const { index: column, target } of mappings) {
          const cell = body[index]![column] ?? '';
          if (!target || asDates.has(target.field) || target.field.endsWith('_LABEL') || cell === '') continue;
          cells++;
          const words = (cell.replace('* myContacts', '').match(/[\p{L}\p{N}]+/gu) ?? []).filter((word) => !text.includes(word.toLowerCase()));
          if (words.length > 0) lost.push(`${target.field}: ${cell}`);
        }
      }
    expect(lost).toEqual([]);
    expect(cells).toBeGreaterThan(60_000);
  });
});

describe('the headers of', () => {
  const products: Record<string, Record<string, string>> = {
    'Outlook in full': {
      'Title, First Name, Middle Name, Last Name, Suffix, Nickname, Job Title': '-, FIRST_NAME, MIDDLE_NAME, LAST_NAME, NAME_SUFFIX, -, JOB_TITLE',
      'E-mail Address, E-mail Type, E-mail Display Name, E-mail 2 Address, E-mail 2 Type, E-mail 3 Address':
        'EMAIL, -, -, FURTHER_EMAIL #2, -, FURTHER_EMAIL #3',
      'Home Phone, Home Phone 2, Business Phone, Mobile Phone, Car Phone, Other Phone, Primary Phone, Pager':
        'PHONE Home, PHONE Home #2, PHONE Work, PHONE Mobile, PHONE Other, PHONE Other, PHONE, PHONE',
      "Business Fax, Home Fax, Company Main Phone, Assistant's Phone, Manager's Name, Assistant's Name, Spouse":
        'PHONE Work fax, PHONE Home fax, PHONE Work, -, -, -, -',
      'Job Title, Department, Company, Office Location': 'JOB_TITLE, -, COMPANY, -',
      'Business Street, Business Street 2, Business City, Business State, Business Postal Code, Business Country/Region, Business Address PO Box':
        'STREET Work, STREET Work, CITY Work, REGION Work, POSTAL_CODE Work, COUNTRY Work, STREET Work',
      'Home Street, Home City, Home Postal Code, Home Country/Region, Other Street, Other City':
        'STREET Home, CITY Home, POSTAL_CODE Home, COUNTRY Home, STREET Other, CITY Other',
      'Personal Web Page, Web Page, Birthday, Anniversary, Notes, Categories, Gender, Private, User 1': 'WEBSITE, WEBSITE, BIRTH_DATE, -, NOTE, TAGS, -, -, -',
    },
    'Outlook in German': {
      'Anrede, Vorname, Weitere Vornamen, Nachname, Suffix, Firma, Abteilung, Position':
        '-, FIRST_NAME, MIDDLE_NAME, LAST_NAME, NAME_SUFFIX, COMPANY, -, JOB_TITLE',
      'Straße geschäftlich, Straße geschäftlich 2, Ort geschäftlich, Region geschäftlich, Postleitzahl geschäftlich, Land/Region geschäftlich':
        'STREET Work, STREET Work, CITY Work, REGION Work, POSTAL_CODE Work, COUNTRY Work',
      'Straße privat, Ort privat, Bundesland/Kanton privat, Postleitzahl privat, Weitere Straße, Weiterer Ort, Weiteres/e Land/Region':
        'STREET Home, CITY Home, REGION Home, POSTAL_CODE Home, STREET Other, CITY Other, COUNTRY Other',
      'Telefon Assistent, Fax geschäftlich, Telefon geschäftlich 2, Telefon Firma, Telefon (privat), Mobiltelefon, Weiteres Telefon, Haupttelefon':
        '-, PHONE Work fax, PHONE Work #2, PHONE Work, PHONE Home, PHONE Mobile, PHONE Other, PHONE',
      'E-Mail-Adresse, E-Mail-Typ, E-Mail: Angezeigter Name, E-Mail 2: Adresse, E-Mail 2: Typ, Geburtstag, Kategorien, Notizen, Webseite':
        'EMAIL, -, -, FURTHER_EMAIL #2, -, BIRTH_DATE, TAGS, NOTE, WEBSITE',
    },
    'Outlook in French': {
      'Titre, Prénom, Deuxième prénom, Nom, Suffixe, Société, Service, Titre (Fonction)':
        '-, FIRST_NAME, MIDDLE_NAME, LAST_NAME, NAME_SUFFIX, COMPANY, -, JOB_TITLE',
      'Rue (bureau), Rue (bureau) 2, Ville (bureau), Dép/Région (bureau), Code postal (bureau), Pays/Région (bureau), Rue (domicile)':
        'STREET Work, STREET Work, CITY Work, REGION Work, POSTAL_CODE Work, COUNTRY Work, STREET Home',
      "Téléphone de l'assistant(e), Télécopie (bureau), Téléphone (bureau), Téléphone 2 (bureau), Téléphone (domicile), Tél. mobile, Téléphone (autre)":
        '-, PHONE Work fax, PHONE Work, PHONE Work #2, PHONE Home, PHONE Mobile, PHONE Other',
      'Adresse de messagerie, Type de messagerie, Adresse de messagerie 2, Anniversaire, Catégories, Page Web':
        'EMAIL, -, FURTHER_EMAIL #2, BIRTH_DATE, TAGS, WEBSITE',
    },
    'Outlook in Spanish': {
      'Tratamiento, Nombre, Segundo nombre, Apellidos, Sufijo, Organización, Puesto': '-, FIRST_NAME, MIDDLE_NAME, LAST_NAME, NAME_SUFFIX, COMPANY, JOB_TITLE',
      'Calle del trabajo, Ciudad de trabajo, Provincia o estado de trabajo, Código postal del trabajo, País o región del trabajo, Calle particular':
        'STREET Work, CITY Work, REGION Work, POSTAL_CODE Work, COUNTRY Work, STREET Home',
      'Fax del trabajo, Teléfono del trabajo, Teléfono 2 del trabajo, Número de móvil, Dirección de correo electrónico, Dirección del correo electrónico 2, Cumpleaños':
        'PHONE Work fax, PHONE Work, PHONE Work #2, PHONE Mobile, EMAIL, FURTHER_EMAIL #2, BIRTH_DATE',
    },
    HubSpot: {
      'Record ID, First Name, Last Name, Email, Mobile Phone Number, Street Address, City, State/Region, Postal Code, Country/Region, Job Title, Website URL, Company Name, Date of birth':
        '-, FIRST_NAME, LAST_NAME, EMAIL, PHONE Mobile, STREET, CITY, REGION, POSTAL_CODE, COUNTRY, JOB_TITLE, WEBSITE, COMPANY, BIRTH_DATE',
      'Contact owner, Lifecycle Stage, Create Date (EST), Last Activity Date (EST), Email Domain': '-, -, -, -, -',
    },
    'Salesforce leads': {
      'Salutation, First Name, Last Name, Title, Company / Account, Street, City, State/Province (text only), Zip/Postal Code, Country':
        '-, FIRST_NAME, LAST_NAME, JOB_TITLE, COMPANY, STREET, CITY, REGION, POSTAL_CODE, COUNTRY',
      'Phone, Mobile, Fax, Email, Lead Source, Lead Owner, Rating, Asst. Phone': 'PHONE, PHONE Mobile, PHONE Fax, EMAIL, -, -, -, -',
      'MailingStreet, MailingCity, MailingPostalCode, OtherStreet, OtherCity, MobilePhone, HomePhone, AccountId':
        'STREET, CITY, POSTAL_CODE, STREET Other, CITY Other, PHONE Mobile, PHONE Home, -',
    },
    Mailchimp: {
      'Email Address, FNAME, LNAME, Address, Birthday, MEMBER_RATING, OPTIN_IP, REGION, LEID, EUID':
        'EMAIL, FIRST_NAME, LAST_NAME, FULL_ADDRESS, BIRTH_DATE, -, -, -, -, -',
    },
    'Wild Apricot': {
      'User ID, First name, Last name, Organization, Email, Phone, Membership level, Membership status, Member since, Renewal due, Balance, Group participation, Notes, Archived':
        '-, FIRST_NAME, LAST_NAME, COMPANY, EMAIL, PHONE, MEMBERSHIP_PLAN, -, MEMBERSHIP_START, MEMBERSHIP_END, OPENING_BALANCE, TAGS, NOTE, -',
    },
    MemberClicks: {
      '[Member Number], [Name | First], [Name | Last], [Email | Primary], [Address | Line 1 | Primary], [Address | City | Primary], [Address | Zip | Primary], [Phone | Primary]':
        'MEMBER_NUMBER, FIRST_NAME, LAST_NAME, EMAIL, STREET, CITY, POSTAL_CODE, PHONE',
      '[Member Type], [Member Status], [Join Date], [Expiration Date]': 'MEMBERSHIP_PLAN, -, MEMBERSHIP_START, MEMBERSHIP_END',
    },
    ClubExpress: {
      'Member Number, First Name, Last Name, Address 1, Address 2, City, State, Zip, Cell Phone, Work Phone, Member Type, Date Joined, Date Expired':
        'MEMBER_NUMBER, FIRST_NAME, LAST_NAME, STREET, STREET, CITY, REGION, POSTAL_CODE, PHONE Mobile, PHONE Work, MEMBERSHIP_PLAN, MEMBERSHIP_START, MEMBERSHIP_END',
    },
    'Glue Up': {
      'First Name, Last Name, Work Email, Email, Mobile, Company, Position, Membership Type, Membership Start Date, Membership End Date, Membership ID, Country/Region':
        'FIRST_NAME, LAST_NAME, FURTHER_EMAIL Work, EMAIL, PHONE Mobile, COMPANY, JOB_TITLE, MEMBERSHIP_PLAN, MEMBERSHIP_START, MEMBERSHIP_END, MEMBER_NUMBER, COUNTRY',
    },
    Hivebrite: {
      'Firstname, Lastname, Primary email, Secondary email, Mobile phone (pro), Landline (perso), Postal Address city, Postal Address postal code, Postal Address country, Birthday, Honorific title, Linkedin profile url':
        'FIRST_NAME, LAST_NAME, EMAIL, FURTHER_EMAIL Other, PHONE Mobile, PHONE Home, CITY, POSTAL_CODE, COUNTRY, BIRTH_DATE, -, WEBSITE',
    },
    YourMembership: {
      'Member ID, Website Member ID, First Name, Last Name, Email Address, Employer Name, Title, Address Line 1, Address Line 2, City, State/Province, Home Phone, Member Type Code, Date Member Signup, Membership Expires':
        'MEMBER_NUMBER, -, FIRST_NAME, LAST_NAME, EMAIL, COMPANY, JOB_TITLE, STREET, STREET, CITY, REGION, PHONE Home, MEMBERSHIP_PLAN, MEMBERSHIP_START, MEMBERSHIP_END',
    },
    ClubDesk: {
      'Nachname, Vorname, Firma, Adresse, PLZ, Ort, Land, Telefon Privat, Telefon Mobil, Telefon Geschäft, E-Mail, E-Mail Alternativ, Geburtsdatum, Gruppen, IBAN, Anrede, Titel':
        'LAST_NAME, FIRST_NAME, COMPANY, STREET, POSTAL_CODE, CITY, COUNTRY, PHONE Home, PHONE Mobile, PHONE Work, EMAIL, FURTHER_EMAIL Other, BIRTH_DATE, TAGS, -, -, -',
      'Eintritt, Austritt': 'NOTE Eintritt, NOTE Austritt',
    },
    easyVerein: {
      'Mitgliedsnummer, Vorname, Nachname, Firmenname, Straße & Hausnr., Adresszusatz, PLZ, Stadt, Primäre E-Mail, Private E-Mail, Telefon (mobil), Telefon (gesch.), Mitgliedsart, Eintrittsdatum, Austrittsdatum':
        'MEMBER_NUMBER, FIRST_NAME, LAST_NAME, COMPANY, STREET, STREET, POSTAL_CODE, CITY, EMAIL, FURTHER_EMAIL Home, PHONE Mobile, PHONE Work, MEMBERSHIP_PLAN, MEMBERSHIP_START, MEMBERSHIP_END',
      'membershipNumber, familyName, firstName, dateOfBirth, privateEmail, companyPhone':
        'MEMBER_NUMBER, LAST_NAME, FIRST_NAME, BIRTH_DATE, EMAIL Home, PHONE Work',
    },
    'Salesforce in other languages': {
      'Anrede, Vorname, Nachname, Accountname, Postanschrift Straße, Postanschrift Ort, Postanschrift Postleitzahl, Mobil':
        '-, FIRST_NAME, LAST_NAME, COMPANY, STREET, CITY, POSTAL_CODE, PHONE Mobile',
      'Nom du compte, Rue (adresse postale), Ville (adresse postale), Code postal (adresse postale)': 'COMPANY, STREET, CITY, POSTAL_CODE',
    },
    AssoConnect: {
      "Civilité, Nom, Prénom, Email, Adresse, Code postal, Ville, Pays, Téléphone mobile, Téléphone fixe, Date de naissance, Numéro d'adhérent, Groupes":
        '-, LAST_NAME, FIRST_NAME, EMAIL, STREET, POSTAL_CODE, CITY, COUNTRY, PHONE Mobile, PHONE, BIRTH_DATE, MEMBER_NUMBER, TAGS',
    },
    HelloAsso: {
      'Référence commande, Nom adhérent, Prénom adhérent, Nom payeur, Prénom payeur, Email payeur, Raison sociale, Champ complémentaire 1 Email, Tarif, Date de début, Montant tarif':
        '-, LAST_NAME, FIRST_NAME, -, -, -, COMPANY, EMAIL #1, MEMBERSHIP_PLAN, MEMBERSHIP_START, -',
    },
  };
  test.for(Object.entries(products))('%s', ([, headers]) => {
    for (const [names, targets] of Object.entries(headers)) {
      const found = recognize(names.split(', '), [], nothingKnown).map(({ target }) => (target ? spell(target) : '-'));
      expect(found.join(', ')).toBe(targets);
    }
  });

  const words: Partial<Record<TargetField, string>> = {
    FIRST_NAME: 'First Name|first_name|firstName|FIRST-NAME|FirstName|Given name|Vorname|Vornamen|Prénom|PRENOM|Nombre|Adı|Ad|AD|Voornaam|Nome',
    LAST_NAME:
      'Last Name|LASTNAME|surname|Family Name|Nachname|Familienname|Nom de famille|Apellidos|Apellido|Soyadı|SOYADI|Soyad|Achternaam|Cognome|Sobrenome',
    FULL_NAME:
      'Full Name|Name|Vor- und Nachname|Nom complet|Prénom et nom|Nombre completo|Nombre y apellidos|Adı Soyadı|İsim Soyisim|Volledige naam|Nome e cognome',
    FULL_NAME_LAST_FIRST: 'Nom et prénom|Name, Vorname|Nachname Vorname|Apellidos y nombre|Cognome e nome|Soyadı Adı',
    EMAIL:
      'E-Mail|email|E MAIL|EMAIL_ADDRESS|emailAddress|Emails|E-Mail-Adresse|Mailadresse|Courriel|Adresse e-mail|Correo electrónico|E-posta|E-POSTA ADRESİ|E-mailadres|Indirizzo e-mail',
    MEMBER_NUMBER:
      'Member No.|Member #|MEMBER_NUMBER|Membership Number|Mitgliedsnummer|Mitglieds-Nr.|Mitgl.Nr.|N° adhérent|Numéro d’adhérent|Nº de socio|Número de socio|Üye No|Üye Numarası|Lidnummer',
    STREET: 'Street|Straße|Strasse|Straße + Nr.|Straße/Hausnr.|Street Address|Rue|N° et rue|Calle|Calle y número|Sokak|Straat',
    POSTAL_CODE: 'ZIP|Zip Code|postal_code|Postcode|PLZ|Postleitzahl|Code postal|CP|Código postal|Posta Kodu|CAP',
    POSTAL_CODE_AND_CITY: 'PLZ/Ort|PLZ Ort|PLZ, Ort|ZIP/City|Code postal et ville|CP y población',
    CITY: 'City|Town|Ort|Wohnort|Stadt|Ville|Commune|Ciudad|Población|Şehir|Plaats|Città',
    COUNTRY: 'Country|Land|Pays|País|Ülke|Country/Region',
    BIRTH_DATE:
      'Birthday|Birthdate|Date of Birth|DOB|Geburtsdatum|Geb.-Datum|Geburtstag|Date de naissance|Né(e) le|Fecha de nacimiento|Doğum Tarihi|Geboortedatum|Data di nascita',
    COMPANY: 'Company|Organisation|Organization|Employer|Firma|Unternehmen|Société|Entreprise|Empresa|Şirket',
    JOB_TITLE: 'Job Title|Position|Title|Beruf|Funktion|Fonction|Poste|Cargo|Puesto|Unvan|Meslek',
    WEBSITE: 'Website|Web Page|URL|Webseite|Homepage|Site web|Sitio web|Web Sitesi',
    TAGS: 'Tags|Labels|Categories|Groups|Schlagwörter|Gruppen|Étiquettes|Groupes|Etiquetas|Etiketler',
    NOTE: 'Notes|Comments|Remarks|Bemerkungen|Anmerkung|Notiz|Remarques|Observaciones|Notas|Notlar|Açıklama',
    OPENING_BALANCE: 'Balance|Opening Balance|Saldo|Kontostand|Solde|Bakiye',
    AMOUNT_DUE: 'Amount Due|Outstanding Balance|Offener Betrag|Reste à payer|Saldo pendiente|Borç',
  };
  test.for(Object.entries(words))('every language and spelling for %s', ([field, names]) => {
    for (const name of names!.split('|')) {
      const beside = field === 'FIRST_NAME' ? ['Nachname'] : field === 'LAST_NAME' ? ['Vorname'] : [];
      const [mapping] = recognize([name, ...beside], [], nothingKnown);
      expect([name, mapping!.target?.field]).toEqual([name, field]);
      expect(mapping!.confidence).toBeGreaterThanOrEqual(0.8);
    }
  });

  test('every language and spelling of phones', () => {
    const label = (name: string) => recognize([name], [], nothingKnown)[0]!.target;
    for (const name of 'Mobile|MOBILE_PHONE|mobilePhone|Cell|Handy|Handynummer|Tel. mobil|Mobil|Téléphone portable|Portable|Móvil|Celular|Cep Telefonu|Cellulare'.split(
      '|',
    ))
      expect([name, label(name)]).toEqual([name, { field: 'PHONE', label: 'Mobile' }]);
    for (const name of 'Home Phone|Phone (home)|Telefon privat|Privattelefon|Téléphone (domicile)|Teléfono particular|Ev Telefonu'.split('|'))
      expect([name, label(name)]).toEqual([name, { field: 'PHONE', label: 'Home' }]);
    for (const name of 'Work Phone|business_phone|Office Phone|Telefon dienstlich|Telefon gesch.|Téléphone (bureau)|Teléfono del trabajo|İş Telefonu'.split(
      '|',
    ))
      expect([name, label(name)]).toEqual([name, { field: 'PHONE', label: 'Work' }]);
    for (const name of 'Phone|Phones|Telephone No.|Tel.|Telefon|Telefonnummer|Rufnummer|Téléphone|Teléfono|Telefoon'.split('|'))
      expect([name, label(name)]).toEqual([name, { field: 'PHONE' }]);
  });
});

describe('a column', () => {
  const fieldOf = (header: string[], cells: string[][] = [], known = nothingKnown) =>
    recognize(header, cells, known).map(({ target, confidence }) => [target?.field ?? null, confidence]);

  test('called name is what the others leave it to be', () => {
    expect(fieldOf(['Name', 'Email'])[0]).toEqual(['FULL_NAME', 0.8]);
    expect(fieldOf(['Name', 'Vorname'])[0]).toEqual(['LAST_NAME', 0.8]);
    expect(fieldOf(['Name', 'First Name', 'Last Name'])[0]).toEqual(['FULL_NAME', 0.8]);
    expect(fieldOf(['Nombre', 'Correo'])[0]).toEqual(['FULL_NAME', 0.8]);
    expect(fieldOf(['Nombre', 'Apellidos'])[0]).toEqual(['FIRST_NAME', 0.8]);
    expect(fieldOf(['Ad', 'Soyad'])[0]).toEqual(['FIRST_NAME', 0.8]);
  });

  test('called title is a salutation beside a job title, or where it holds salutations', () => {
    expect(fieldOf(['Title', 'Email'])[0]).toEqual(['JOB_TITLE', 0.8]);
    expect(fieldOf(['Title', 'Job Title'])[0]![0]).toBeNull();
    expect(fieldOf(['Title', 'Email'], [['Mr.'], ['Ms'], ['Dr.']])[0]![0]).toBeNull();
  });

  test('called Titel, Titre or Título is a job title only where its cells are', () => {
    expect(fieldOf(['Titel'], [['']])[0]![0]).toBeNull();
    expect(fieldOf(['Titel'], [['Dr.'], ['Prof. Dr. med.'], ['Dipl.-Ing.']])[0]![0]).toBeNull();
    expect(fieldOf(['Titel'], [['Geschäftsführerin'], ['Head of Sales']])[0]![0]).toBe('JOB_TITLE');
  });

  test('may say the order of its dates', () => {
    const order = (name: string) => recognize([name], [], nothingKnown).map(({ target, dateOrder }) => [target?.field, dateOrder])[0];
    for (const name of [
      'Date of Birth (DD/MM/YYYY)',
      'Geburtsdatum (TT.MM.JJJJ)',
      'Date de naissance (jj/mm/aaaa)',
      'Fecha de nacimiento dd/mm/aaaa',
      'Doğum Tarihi (gg.aa.yyyy)',
    ])
      expect([name, order(name)]).toEqual([name, ['BIRTH_DATE', 'DMY']]);
    expect(order('Birthday [mm/dd/yyyy]')).toEqual(['BIRTH_DATE', 'MDY']);
    expect(order('Birthday (yyyy-mm-dd)')).toEqual(['BIRTH_DATE', 'YMD']);
    expect(fieldsOf({ Name: 'Ann', 'Birthday (MM/DD/YYYY)': '01/02/1990' }).birthDate).toBe('1990-01-02');
  });

  test('may have its number without a space', () => {
    expect(recognize(['Email1', 'Email2', 'Phone2', 'Address1', 'Address2', 'City'], [], nothingKnown).map(({ target }) => spell(target!))).toEqual([
      'EMAIL #1',
      'FURTHER_EMAIL #2',
      'PHONE #2',
      'STREET',
      'STREET',
      'CITY',
    ]);
  });

  test('of country codes for dialling is no country', () => {
    expect(fieldOf(['Country Code'], [['+49'], ['1']])[0]![0]).toBeNull();
    expect(fieldOf(['Country Code'], [['DE']])[0]![0]).toBe('COUNTRY');
  });

  test('called address is a street beside a city, and a whole address alone', () => {
    expect(fieldOf(['Adresse', 'PLZ', 'Ort'])[0]![0]).toBe('STREET');
    expect(fieldOf(['Adresse', 'E-Mail'])[0]![0]).toBe('FULL_ADDRESS');
    expect(recognize(['Home Address', 'Work City'], [], nothingKnown)[0]!.target).toEqual({ field: 'FULL_ADDRESS', label: 'Home' });
  });

  test('with an unknown name is recognized by its values, with less confidence', () => {
    expect(fieldOf(['x'], [['ann@example.org'], ['bob@example.org'], ['']])).toEqual([['EMAIL', 0.6]]);
    expect(fieldOf(['x'], [['https://example.org'], ['www.example.org/a']])).toEqual([['WEBSITE', 0.5]]);
    expect(fieldOf(['', 'Email'], [['+49 30 1234567'], ['0171 / 1234567'], ['(212) 555-0100 x12']])[0]).toEqual(['PHONE', 0.4]);
    expect(fieldOf(['E-Mail', 'x'], [['a@example.org', 'ann@example.org']])).toEqual([
      ['EMAIL', 1],
      ['FURTHER_EMAIL', 0.6],
    ]);
    for (const values of [['2024-01-01'], ['01/02/2024'], ['192.0.2.7'], ['90000000000'], ['1234567.89'], ['hello'], [''], ['2024-05-01 10:00:00']])
      expect([values, fieldOf(['x'], [values])]).toEqual([values, [[null, 0]]]);
  });

  test('with one email in many rows is about the staff', () => {
    const staff = ['ann@example.org', 'bob@example.org', 'Ann@example.org', 'ann@example.org', 'ann@example.org'].map((email) => [email]);
    for (const name of ['Betreuer', 'Assigned To', 'Sales Rep']) expect([name, fieldOf([name], staff)]).toEqual([name, [[null, 0]]]);
    expect(fieldOf(['x'], [['ann@example.org']])).toEqual([['EMAIL', 0.6]]);
    expect(fieldOf(['x'], staff.slice(0, 4))).toEqual([['EMAIL', 0.6]]);
  });

  test.for([
    ['Mailing ZIP', 'POSTAL_CODE'],
    ['HOME FAX', 'PHONE Home fax'],
    ['WORK TEL', 'PHONE Work'],
    ['Member DOB', 'BIRTH_DATE'],
    ['Home URL', 'WEBSITE Home'],
    ['Company URL', 'WEBSITE Work'],
    ['Balance USD', 'OPENING_BALANCE USD'],
    ['Member Balance (CHF)', 'OPENING_BALANCE CHF'],
    ['Home Phone (OLD)', 'PHONE Home'],
  ])('called %s, with capitals at the end', ([name, target]) => expect(shown(recognize([name!], [], nothingKnown))).toEqual([`${name}: ${target}`]));

  test.for([
    ['Company Address', 'FULL_ADDRESS Work'],
    ['Employer Address', 'FULL_ADDRESS Work'],
    ['Adresse Firma', 'FULL_ADDRESS Work'],
    ['Mailing Address ZIP', 'POSTAL_CODE'],
    ['Mail-Adresse', 'EMAIL'],
    ['Website Address', 'WEBSITE'],
    ['Address Notes', 'NOTE'],
  ])('called %s is for what has the address', ([name, target]) => expect(shown(recognize([name!], [], nothingKnown))).toEqual([`${name}: ${target}`]));

  test('of a company’s address is a street beside its city', () => {
    const found = recognize(['Company', 'Company Address', 'Company City'], [], nothingKnown);
    expect(shown(found)).toEqual(['Company: COMPANY', 'Company Address: STREET Work', 'Company City: CITY Work']);
    expect(recognize(['Account Address'], [], nothingKnown)[0]!.target).toBeNull();
  });

  test('about somebody else is not recognized by its values', () => {
    for (const name of ['Emergency contact phone', 'Notfallkontakt Telefon', 'Email payeur', "Assistant's Phone", 'Owner Email', 'Parent Email'])
      expect([name, fieldOf([name], [['+49 30 1234567'], ['+49 30 1234568']])]).toEqual([name, [[null, 0]]]);
  });

  test('that is known and not about the contact says so by its confidence', () => {
    expect(fieldOf(['Record ID', 'Salutation', 'Frobnication'])).toEqual([
      [null, 1],
      [null, 1],
      [null, 0],
    ]);
  });

  test('of a custom field is found by its key or label before anything else', () => {
    const customFields = [
      { key: 'shirt_size', label: 'T-Shirt-Größe', kind: 'TEXT' as const },
      { key: 'phone', label: 'Radio call sign', kind: 'TEXT' as const },
    ];
    const targets = recognize(['T-shirt größe', 'SHIRT_SIZE', 'Phone', 'radio call sign'], [], { plans, customFields }).map(({ target }) => target);
    expect(targets).toEqual([
      { field: 'CUSTOM_FIELD', customFieldKey: 'shirt_size' },
      // A field has one value; a second column of it is kept as a note.
      { field: 'NOTE', label: 'SHIRT_SIZE' },
      { field: 'CUSTOM_FIELD', customFieldKey: 'phone' },
      { field: 'NOTE', label: 'radio call sign' },
    ]);
  });

  test('of a membership without a plan or a start in the file is kept as a note', () => {
    expect(fieldOf(['Vorname', 'Eintritt'])[1]).toEqual(['NOTE', 0.5]);
    expect(draftOf({ Vorname: 'Ann', Eintritt: '01.02.2010' }).notes).toEqual(['Eintritt: 01.02.2010']);
  });

  test('named like a member of every object is unknown text', () => {
    expect(fieldOf(['__proto__', 'constructor', 'toString', 'hasOwnProperty', '', '\0', '\ud800', 'x'.repeat(10_000)]).every(([field]) => field === null)).toBe(
      true,
    );
    const { fields } = draftOf({ 'First Name': '__proto__', 'Last Name': 'constructor', Country: 'constructor', Tags: '__proto__' });
    expect(fields).toEqual({ firstName: '__proto__', lastName: 'constructor', country: 'constructor' });
    const row = { rowNumber: 2, cells: ['Ann', 'polluted'] };
    const drafter = new Drafter(recognize(['First Name', '__proto__'], [], nothingKnown), settings, nothingKnown);
    expect(drafter.draft(row)).toEqual({ draft: { ...empty, fields: { firstName: 'Ann' } } });
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  test('has a meaning that the manual describes', () => {
    for (const description of Object.values(targetFields)) expect(description).toMatch(/^[A-Z].*\.$/);
  });
});

describe('a date', () => {
  const birth = (cells: string[], options?: Options) =>
    read(
      ['Name', 'Birthday'],
      cells.map((cell) => ['Ann', cell]),
      options,
    );
  const one = (cell: string, options?: Options) => birth([cell], options).drafts[0]?.fields.birthDate;

  test.for([
    ['1990-12-31', '1990-12-31'],
    ['1990-1-2', '1990-01-02'],
    ['1990/12/31', '1990-12-31'],
    ['1990.12.31', '1990-12-31'],
    ['19901231', '1990-12-31'],
    ['31.12.1990', '1990-12-31'],
    ['31. 12. 1990', '1990-12-31'],
    // Dots have the day first.
    ['01.02.1990', '1990-02-01'],
    ['1.2.90', '1990-02-01'],
    ['31/12/1990', '1990-12-31'],
    ['12/31/1990', '1990-12-31'],
    ['31-12-1990', '1990-12-31'],
    ['11/11/1990', '1990-11-11'],
    ['12/31/90', '1990-12-31'],
    ['90/12/31', '1990-12-31'],
    ['29.02.2000', '2000-02-29'],
    ['1990-12-31 10:20:30', '1990-12-31'],
    ['1990-12-31T10:20:30.000Z', '1990-12-31'],
    ['12/31/1990 12:00:00 AM', '1990-12-31'],
    ['31.12.1990 00:00', '1990-12-31'],
    ['12 Oct 1990', '1990-10-12'],
    ['12-Oct-90', '1990-10-12'],
    ['October 12th, 1990', '1990-10-12'],
    ['Oct. 12, 1990', '1990-10-12'],
    ['Friday, October 12, 1990', '1990-10-12'],
    ['12. März 1990', '1990-03-12'],
    ['12. Mrz 1990', '1990-03-12'],
    ['Freitag, 12. Oktober 1990', '1990-10-12'],
    ['1er janvier 1990', '1990-01-01'],
    ['12 févr. 1990', '1990-02-12'],
    ['12 août 1990', '1990-08-12'],
    ['12 de octubre de 1990', '1990-10-12'],
    ['12 Ağustos 1990', '1990-08-12'],
    ['12 Şubat 1990', '1990-02-12'],
    ['1990 Oct 12', '1990-10-12'],
  ])('%s is %s', ([cell, date]) => expect(one(cell!)).toBe(date));

  test.for([
    '31.02.1990',
    '1990-02-30',
    '29.02.1900',
    '32.01.1990',
    '13/13/1990',
    'tomorrow',
    '12 Foo 1990',
    '1990-12-31x',
    '1.2.123',
    '123/1/1',
    '12:30',
    '9'.repeat(5_000),
    'x'.repeat(100),
  ])('%s is a problem', (cell) => expect(birth([cell]).problems).toMatchObject([{ code: 'INVALID_DATE', column: 'Birthday' }]));

  test.for(['0/0/00', '00/00/0000', '0000-00-00', '00.00.0000', '0000', '  '])('%s is no date', (cell) => {
    const { drafts, problems } = birth([cell]);
    expect([drafts[0], problems]).toEqual([{ ...empty, fields: { firstName: 'Ann' } }, []]);
  });

  test.for(['--10-16', '--1016', '06/12', '16.10.', '12 Oct', '1990', '1990-05', '12/1990', '05.1990', 'Oktober 1990'])(
    '%s, of birth, is kept as a note',
    (cell) => {
      expect(birth([cell]).drafts).toEqual([{ ...empty, fields: { firstName: 'Ann' }, notes: [`Birthday: ${cell}`] }]);
    },
  );

  test('of a membership has its day', () => {
    expect(codesOf({ Name: 'Ann', Plan: 'Adult', Start: '12/1990' }, { known: { plans } })).toEqual([['INVALID_DATE', 'Start']]);
  });

  test('of birth with two digits of the year is not after now; of a membership it may be some years ahead', () => {
    const now = new Date().getFullYear();
    const digits = (year: number) => String(year % 100).padStart(2, '0');
    expect(one(`25.01.${digits(now)}`)).toBe(`${now}-01-25`);
    expect(one(`25.01.${digits(now + 1)}`)).toBe(`${now - 99}-01-25`);
    const { memberships } = draftOf({ Name: 'Ann', Plan: 'Adult', Start: `25.01.${digits(now - 5)}`, End: `25.01.${digits(now + 10)}` }, { known: { plans } });
    expect(memberships).toEqual([{ planName: 'Adult', startsOn: `${now - 5}-01-25`, endsOn: `${now + 10}-01-25` }]);
  });

  test('that could be read in two ways is asked about and not read', () => {
    const { problems, questions, drafts } = birth(['1990-01-01', '01/02/1990', '03/03/1990', '04/05/1991', '']);
    expect(problems).toEqual([
      {
        code: 'AMBIGUOUS_DATE',
        column: 'Birthday',
        message:
          'Whether the day or the month is first in this date is not clear, and no other row of the column shows it. Answer the question about this column.',
      },
      expect.objectContaining({ code: 'AMBIGUOUS_DATE' }),
    ]);
    expect(drafts.map(({ fields }) => fields.birthDate)).toEqual(['1990-01-01', '1990-03-03', undefined]);
    expect(questions).toEqual([{ column: 1, header: 'Birthday', kind: 'DATE_ORDER', rows: [3, 5], dateOrders: ['DMY', 'MDY'] }]);
  });

  test('is settled by one other in its column, wherever that is', () => {
    const cells = Array.from({ length: 500 }, () => '01/02/1990');
    const dmy = birth([...cells, '25/02/1990']);
    expect([dmy.questions, dmy.problems]).toEqual([[], []]);
    expect(new Set(dmy.drafts.map(({ fields }) => fields.birthDate))).toEqual(new Set(['1990-02-01', '1990-02-25']));
    const mdy = birth(['02/25/1990', ...cells]);
    expect(mdy.drafts[1]!.fields.birthDate).toBe('1990-01-02');
    expect(birth(['25/02/90', '01/02/03']).drafts.map(({ fields }) => fields.birthDate)).toEqual(['1990-02-25', '2003-02-01']);
    expect(birth(['01/02/03']).questions[0]!.dateOrders).toEqual(['DMY', 'MDY', 'YMD']);
  });

  test('of another column settles nothing', () => {
    const header = ['Name', 'Birthday', 'Plan', 'Start'];
    const { questions } = read(header, [['Ann', '25/02/1990', 'Adult', '01/02/2020']], { known: { plans } });
    expect(questions).toMatchObject([{ header: 'Start', rows: [2] }]);
  });

  test('that contradicts another of its column makes both a question, and a problem of those that do not fit the answer', () => {
    const cells = ['25/02/1990', '02/25/1990', '01/02/1990', '1990-02-25'];
    const open = birth(cells);
    expect(open.questions).toEqual([{ column: 1, header: 'Birthday', kind: 'DATE_ORDER', rows: [3, 4], dateOrders: ['DMY', 'MDY', 'YMD'] }]);
    expect(open.problems.map(({ code }) => code)).toEqual(['AMBIGUOUS_DATE', 'AMBIGUOUS_DATE', 'AMBIGUOUS_DATE']);
    const answered = birth(cells, { mappings: (mappings) => mappings.map((mapping) => (mapping.index === 1 ? { ...mapping, dateOrder: 'DMY' } : mapping)) });
    expect([answered.questions, answered.problems.map(({ code }) => code)]).toEqual([[], ['INVALID_DATE']]);
    expect(answered.drafts.map(({ fields }) => fields.birthDate)).toEqual(['1990-02-25', '1990-02-01', '1990-02-25']);
  });

  test('is read as a person says, where its column settles nothing', () => {
    expect(one('01/02/1990', { settings: { dateOrder: 'DMY' } })).toBe('1990-02-01');
    expect(one('01/02/1990', { settings: { dateOrder: 'MDY' } })).toBe('1990-01-02');
    const asked = (mappings: ColumnMapping[]) => mappings.map((mapping) => (mapping.index === 1 ? { ...mapping, dateOrder: 'MDY' as const } : mapping));
    expect(one('01.02.1990', { mappings: asked })).toBe('1990-01-02');
    expect(one('01/02/03', { settings: { dateOrder: 'YMD' } })).toBe('2001-02-03');
    // The column knows better than the answer for the whole file.
    expect(birth(['01/02/1990', '25/02/1990'], { settings: { dateOrder: 'MDY' } }).drafts.map(({ fields }) => fields.birthDate)).toEqual([
      '1990-02-01',
      '1990-02-25',
    ]);
  });

  test('is a number of days only where the whole column is such', () => {
    expect(birth(['17135', '24540', '']).drafts.map(({ fields }) => fields.birthDate)).toEqual(['1946-11-29', '1967-03-09', undefined]);
    expect(birth(['17135', '1967-03-09']).problems.map(({ code }) => code)).toEqual(['INVALID_DATE']);
  });
});

describe('an amount', () => {
  const balances = (cells: string[], options?: Options & { header?: string }) => {
    const found = read(
      ['Name', options?.header ?? 'Balance'],
      cells.map((cell) => ['Ann', cell]),
      options,
    );
    return { ...found, amounts: found.results.map((result) => ('draft' in result ? (result.draft.openingBalances[0] ?? null) : result.problems[0]!.code)) };
  };
  const usd = (amountMinor: number) => ({ amountMinor, currency: 'USD' });
  const inCurrency = (amountMinor: number, currency: string) => ({ amountMinor, currency });

  test.for<[string, unknown]>([
    ['0', null],
    ['0.00', null],
    ['49', usd(4900)],
    ['49.5', usd(4950)],
    ['-49.5', usd(-4950)],
    ['−49.50', usd(-4950)],
    ['49,50', usd(4950)],
    ['49.50-', usd(-4950)],
    ['(49.50)', usd(-4950)],
    ['($1,234.50)', usd(-123450)],
    ['-$1,234.50', usd(-123450)],
    ['$-1,234.50', usd(-123450)],
    ['50,-', usd(5000)],
    ['50,--', usd(5000)],
    ['20.—', usd(2000)],
    ['-50,-', usd(-5000)],
    ['1.234,-', usd(123400)],
    ['50,- €', inCurrency(5000, 'EUR')],
    ['50,– €', inCurrency(5000, 'EUR')],
    ['CHF 50.-', inCurrency(5000, 'CHF')],
    ["CHF 1'234.-", inCurrency(123400, 'CHF')],
    ['50,-5', 'INVALID_AMOUNT'],
    ['50,---', 'INVALID_AMOUNT'],
    ['1.234,50', usd(123450)],
    ['1 234,50', usd(123450)],
    ['1\u202f234,50', usd(123450)],
    ["1'234.50", usd(123450)],
    ['1 234 567,50', usd(123456750)],
    ['$ 1 234.50', usd(123450)],
    ['- 50', usd(-5000)],
    ['2 3', 'INVALID_AMOUNT'],
    ['12 50', 'INVALID_AMOUNT'],
    ["12'50", 'INVALID_AMOUNT'],
    ['1 2345', 'INVALID_AMOUNT'],
    ['1.234.567', usd(123456700)],
    ['0.125', 'INVALID_AMOUNT'],
    ['49.100000000000001', usd(4910)],
    ['49.999999999', usd(5000)],
    ['-0.099999999999999', usd(-10)],
    ['12.345000000001', 'INVALID_AMOUNT'],
    [`1${'0'.repeat(24)}.123456789`, 'INVALID_AMOUNT'],
    ['1.234,50 €', inCurrency(123450, 'EUR')],
    ['€ 1.234,50', inCurrency(123450, 'EUR')],
    ['EUR 12', inCurrency(1200, 'EUR')],
    ['12 chf', inCurrency(1200, 'CHF')],
    ['£12.50', inCurrency(1250, 'GBP')],
    ['₺12,50', inCurrency(1250, 'TRY')],
    ['12,50 TL', inCurrency(1250, 'TRY')],
    ['¥1200', inCurrency(1200, 'JPY')],
    ['KWD 1.2345', 'INVALID_AMOUNT'],
    ['1.234', 'AMBIGUOUS_NUMBER'],
    ['1,234', 'AMBIGUOUS_NUMBER'],
    ['0,123', 'INVALID_AMOUNT'],
    ['12.34.56', 'INVALID_AMOUNT'],
    ['1,23,4', 'INVALID_AMOUNT'],
    ['(49.50', 'INVALID_AMOUNT'],
    ['about 5', 'INVALID_AMOUNT'],
    ['XXQ 5', 'INVALID_AMOUNT'],
    ['1e5', 'INVALID_AMOUNT'],
    ['-', 'INVALID_AMOUNT'],
    ['9'.repeat(20), 'INVALID_AMOUNT'],
    ['9'.repeat(100), 'INVALID_AMOUNT'],
  ])('%s', ([cell, amount]) => expect(balances([cell]).amounts).toEqual([amount]));

  test('is settled by its column, by the settings, or asked about', () => {
    expect(balances(['1.234', '12,50']).amounts).toEqual([usd(123400), usd(1250)]);
    expect(balances(['1.234', '1.234,50']).questions).toEqual([]);
    expect(balances(['1,234', '12.50']).amounts).toEqual([usd(123400), usd(1250)]);
    expect(balances(['1.234'], { settings: { decimal: ',' } }).amounts).toEqual([usd(123400)]);
    expect(balances(['1.23', '1.234'], { settings: { decimal: ',' } }).amounts).toEqual([usd(123), 'INVALID_AMOUNT']);
    expect(balances(['5', '1.234']).questions).toEqual([{ column: 1, header: 'Balance', kind: 'DECIMAL_MARK', rows: [3], dateOrders: [] }]);
    // Contradicting ones settle nothing.
    expect(balances(['1.234', '12,50', '12.50']).questions).toMatchObject([{ kind: 'DECIMAL_MARK', rows: [2] }]);
  });

  test('that is due is owed, and its header may name the currency', () => {
    expect(balances(['49,50'], { header: 'Offener Betrag (EUR)' }).amounts).toEqual([inCurrency(-4950, 'EUR')]);
    expect(balances(['49,50'], { header: 'Amount Due' }).amounts).toEqual([usd(-4950)]);
    expect(balances(['49,50'], { header: 'Saldo (€)' }).amounts).toEqual([inCurrency(4950, 'EUR')]);
    expect(balances(['5'], { settings: { currency: 'TRY' } }).amounts).toEqual([inCurrency(500, 'TRY')]);
  });
});

describe('a phone number', () => {
  test.for<[string, (string | null)[], string | null]>([
    ['598-718-8160', ['US'], '+15987188160'],
    ['1-770-408-3623', ['US'], '+17704083623'],
    ['(408) 801-8531', ['US'], '+14088018531'],
    ['314.798.4193 x2812', ['US'], '+13147984193;ext=2812'],
    ['314 798 4193 ext. 28', ['US'], '+13147984193;ext=28'],
    ['030 123456 Durchwahl 12', ['DE'], '+4930123456;ext=12'],
    ['+49-3528-35062937', ['US'], '+49352835062937'],
    ['+49 (0)30 123456', ['US'], '+4930123456'],
    ['0049 30 123456', ['DE'], '+4930123456'],
    ['0049 30 123456', [null], '+4930123456'],
    ['011 49 30 123456', ['US'], '+4930123456'],
    ['49 30 123456', ['DE'], '+4930123456'],
    ['0171/1234567', ['DE'], '+491711234567'],
    ['06 09 12 69 80', ['FR'], '+33609126980'],
    ['0532 123 45 67', ['TR'], '+905321234567'],
    ['011 15-2345-6789', ['AR'], '+5491123456789'],
    ['+39 06 1234 5678', ['DE'], '+390612345678'],
    ['1-800-FLOWERS', ['US'], null],
    ['+٤٩ ٣٠ ١٢٣٤٥٦', ['US'], '+4930123456'],
    ['Tel. 030 123456', ['DE'], '+4930123456'],
    ['030 123456 (office)', ['DE'], '+4930123456'],
    ['＋４９ ３０ １２３４５６', ['US'], '+4930123456'],
    // The row's country has no such number, so it is one of the organization's.
    ['598-718-8160', ['SN', 'US'], '+15987188160'],
    ['030 123456', [null], null],
    ['12', ['US'], null],
    ['unknown', ['US'], null],
    ['+999 1234567', ['US'], null],
    ['1'.repeat(1_000), ['US'], null],
    ['constructor', ['constructor'], null],
  ])('%s in %s', ([text, countries, number]) => expect(toE164(text, countries)).toBe(number));

  test('is understood as libphonenumber does, in every country', () => {
    const different: unknown[] = [];
    let compared = 0;
    for (const country of getCountries(metadata)) {
      const example = getExampleNumber(country, examples, metadata);
      if (!example) continue;
      for (const text of [example.number, example.nationalNumber, example.formatNational(), example.formatInternational()]) {
        const parsed = parsePhoneNumberFromString(text, { defaultCountry: country, extract: false }, metadata);
        if (!parsed?.isValid()) continue;
        compared++;
        if (toE164(text, [country]) !== parsed.number) different.push([country, text, parsed.number, toE164(text, [country])]);
      }
    }
    expect(different).toEqual([]);
    expect(compared).toBeGreaterThan(900);
  });

  test('is of the country of its row, and kept as the row has it', () => {
    const { contactPoints, phones } = draftOf({ Name: 'Ann', Phone: '030 123456', Country: 'Deutschland' });
    expect([contactPoints, phones]).toEqual([[{ kind: 'PHONE', label: null, value: '030 123456' }], ['+4930123456']]);
    expect(draftOf({ Name: 'Ann', Phone: '030 123456', Country: 'DE' }).phones).toEqual(['+4930123456']);
    expect(draftOf({ Name: 'Ann', Phone: 'ask Bob', Country: 'Atlantis' })).toMatchObject({
      contactPoints: [{ kind: 'PHONE', label: null, value: 'ask Bob' }],
      phones: [],
    });
  });

  test('may be one of several in a cell; the same is kept once', () => {
    const values = (cell: string) => draftOf({ Name: 'Ann', Phone: cell }).contactPoints.map(({ value }) => value);
    expect(values('408 801 8531; 408 801 8532')).toEqual(['408 801 8531', '408 801 8532']);
    expect(values('408 801 8531 ::: 408 801 8532')).toEqual(['408 801 8531', '408 801 8532']);
    expect(values('408 801 8531, 408 801 8532')).toEqual(['408 801 8531', '408 801 8532']);
    expect(values('408 801 8531 / 408 801 8532')).toEqual(['408 801 8531', '408 801 8532']);
    expect(values('408 801 8531\n408 801 8532')).toEqual(['408 801 8531', '408 801 8532']);
    expect(values('408 801 8531 or 408 801 8532')).toEqual(['408 801 8531', '408 801 8532']);
    expect(values('0621/1234567')).toEqual(['0621/1234567']);
    expect(values('408 801 8531, ext 12')).toEqual(['408 801 8531, ext 12']);
    expect(values(`408 801 8531${' '.repeat(9_000)}or${' '.repeat(900)}408 801 8532`)).toEqual(['408 801 8531', '408 801 8532']);
    expect(values(`408 801 8531${' '.repeat(9_000)},${' '.repeat(900)}408 801 8532 /408 801 8533`)).toEqual(['408 801 8531', '408 801 8532', '408 801 8533']);
    const { contactPoints, phones } = draftOf({ Name: 'Ann', Phone: '408-801-8531', Mobile: '408-801-8531', 'Home Phone': '(408) 801 8531' });
    expect(contactPoints.map(({ label, value }) => [label, value])).toEqual([
      [null, '408-801-8531'],
      ['Home', '(408) 801 8531'],
    ]);
    expect(phones).toEqual(['+14088018531']);
  });
});

describe('a country', () => {
  test.for<[string, string | null]>([
    ['Germany', 'DE'],
    ['Deutschland', 'DE'],
    ['Allemagne', 'DE'],
    ['ALEMANIA', 'DE'],
    ['Almanya', 'DE'],
    ['Türkiye', 'TR'],
    ['Turkey', 'TR'],
    ['USA', 'US'],
    ['U.S.A.', 'US'],
    ['Vereinigte Staaten', 'US'],
    ['England', 'GB'],
    ['Trinidad and Tobago', 'TT'],
    ['Trinidad & Tobago', 'TT'],
    ['St. Lucia', 'LC'],
    ["Côte d'Ivoire", 'CI'],
    ['Republic of Korea', 'KR'],
    ['Hong Kong', 'HK'],
    ['Niger', 'NE'],
    ['DE', 'DE'],
    ['Atlantis', null],
    ['EU', null],
    ['toString', null],
  ])('%s', ([name, code]) => expect(countryCode(name)).toBe(code));

  test('is kept as it is spelled, and a bare code as its English name', () => {
    const kept = (country: string) => fieldsOf({ Name: 'Ann', Country: country }).country;
    expect(['Deutschland', 'USA', 'DE', 'GB', 'QQ', 'Atlantis'].map(kept)).toEqual(['Deutschland', 'USA', 'Germany', 'United Kingdom', 'QQ', 'Atlantis']);
  });
});

describe('a whole name', () => {
  test.for<[string, string | undefined, string | undefined]>([
    ['Robert Kling-Monahan', 'Robert', 'Kling-Monahan'],
    ['Kling-Monahan, Robert', 'Robert', 'Kling-Monahan'],
    ['Anna Maria Bell', 'Anna Maria', 'Bell'],
    ['Dr. Anna von der Heide', 'Dr. Anna', 'von der Heide'],
    ['von der Heide, Dr. Anna', 'Dr. Anna', 'von der Heide'],
    ['Ludwig van Beethoven', 'Ludwig', 'van Beethoven'],
    ['Charles de Gaulle', 'Charles', 'de Gaulle'],
    ['María de la Cruz López', 'María', 'de la Cruz López'],
    ['Martin Luther King Jr.', 'Martin Luther', 'King Jr.'],
    ['Martin Luther King, Jr.', 'Martin Luther', 'King Jr.'],
    ['King, Martin Luther, Jr.', 'Martin Luther', 'King Jr.'],
    ['Henry Ford III', 'Henry', 'Ford III'],
    ['DUPONT Marie', 'Marie', 'DUPONT'],
    ['MARIE DUPONT', 'MARIE', 'DUPONT'],
    ['LE GALL Jean', 'Jean', 'LE GALL'],
    ['AJ Smith', 'AJ', 'Smith'],
    ['JP Morgan', 'JP', 'Morgan'],
    ['J-P Morgan', 'J-P', 'Morgan'],
    ['DJ Khaled', 'DJ', 'Khaled'],
    ['TJ Van Dyke', 'TJ', 'Van Dyke'],
    ['Mehmet Ali Yılmaz', 'Mehmet Ali', 'Yılmaz'],
    ['Frau Müller', 'Frau', 'Müller'],
    ['Cher', 'Cher', undefined],
    ['松崎愛菜', '松崎愛菜', undefined],
    ['Bell,', undefined, 'Bell'],
    [',', undefined, undefined],
  ])('%s', ([name, firstName, lastName]) => expect(splitName(name)).toEqual({ ...(firstName && { firstName }), ...(lastName && { lastName }) }));

  test('may have the last name first', () => {
    expect(fieldsOf({ 'Nachname Vorname': 'von der Heide Anna Maria' })).toEqual({ firstName: 'Anna Maria', lastName: 'von der Heide' });
    expect(fieldsOf({ 'Nom et prénom': 'Dupont Marie' })).toEqual({ firstName: 'Marie', lastName: 'Dupont' });
    expect(fieldsOf({ 'Nom et prénom': 'LE PEN Marie' })).toEqual({ firstName: 'Marie', lastName: 'LE PEN' });
  });

  test('keeps every word', () => {
    for (const name of ['a b c d e', 'von van de', 'Dr. Dr.', 'Jr. Jr. Jr.', 'X, Y, Z', 'DR. A. B.', 'Mr. X', 'DE LA Cruz', 'St. John Smith']) {
      for (const lastFirst of [false, true]) {
        const { firstName = '', lastName = '' } = splitName(name, lastFirst);
        expect(`${firstName} ${lastName}`.split(' ').filter(Boolean).sort()).toEqual(name.replaceAll(',', '').split(' ').sort());
      }
    }
  });

  test('beside a first and a last name says nothing new, or is kept as a note', () => {
    expect(draftOf({ Name: 'Bell, Ann', 'First Name': 'Ann', 'Last Name': 'Bell' })).toEqual({ ...empty, fields: { firstName: 'Ann', lastName: 'Bell' } });
    expect(draftOf({ Name: 'Dr. Ann Bell', 'First Name': 'Ann', 'Last Name': 'Bell' }).notes).toEqual(['Name: Dr. Ann Bell']);
    expect(fieldsOf({ Name: 'Ann Bell', 'First Name': '', 'Last Name': '' })).toEqual({ firstName: 'Ann', lastName: 'Bell' });
  });

  test('has middle names with the first and suffixes with the last', () => {
    expect(fieldsOf({ 'First Name': 'Ann', 'Middle Name': 'Mary', 'Last Name': 'Bell', Suffix: 'Jr.' })).toEqual({
      firstName: 'Ann Mary',
      lastName: 'Bell Jr.',
    });
  });
});

describe('a cell of several', () => {
  const emails = (cells: Record<string, string>) => {
    const { fields, contactPoints } = draftOf(cells);
    return [fields.email, ...contactPoints.map(({ kind, label, value }) => (kind === 'EMAIL' ? [label, value] : kind))];
  };

  test('emails has the contact’s own first', () => {
    const both = ['a@example.org', [null, 'b@example.org']];
    for (const cell of [
      'a@example.org; b@example.org',
      'a@example.org, b@example.org',
      'a@example.org|b@example.org',
      'a@example.org\nb@example.org',
      'a@example.org b@example.org',
      'a@example.org ::: b@example.org',
      'mailto:a@example.org; b@example.org;',
      'a@example.org, b@example.org, A@Example.org',
    ])
      expect([cell, emails({ Email: cell })]).toEqual([cell, both]);
    expect(emails({ 'Work Email': 'w@example.org', Email: 'a@example.org' })).toEqual(['a@example.org', ['Work', 'w@example.org']]);
    expect(emails({ 'Work Email': 'w@example.org', Email: '' })).toEqual(['w@example.org']);
    expect(emails({ Email: 'a@example.org', 'E-mail 2 Address': 'a@EXAMPLE.org' })).toEqual(['a@example.org']);
  });

  test('emails may have names beside them', () => {
    const several = draftOf({ Email: 'ann@example.org, Bob <bob@example.org>, "Bell, Cid" <cid@example.org>' });
    expect([several.fields.email, ...several.contactPoints.map(({ value }) => value)]).toEqual(['ann@example.org', 'bob@example.org', 'cid@example.org']);
    expect(draftOf({ Email: 'Ann Bell <ann@example.org>' })).toEqual({ ...empty, fields: { email: 'ann@example.org', firstName: 'Ann', lastName: 'Bell' } });
    expect(draftOf({ Email: '"Bell, Ann" <ann@example.org>', 'First Name': 'Ann', 'Last Name': 'Bell' }).notes).toEqual([]);
  });

  test('emails is a problem when one of them is none', () => {
    for (const cell of [
      'a@example.org; b',
      'ann(at)example.org',
      'ann@',
      '@example.org',
      'ann@example',
      'n/a',
      'ann@exa mple.org',
      `${'a'.repeat(300)}@example.org`,
      '@'.repeat(6_000),
    ])
      expect([cell, codesOf({ Name: 'Ann', Email: cell })]).toEqual([cell, [['INVALID_EMAIL', 'Email']]]);
    expect(codesOf({ Name: 'Ann', Email: 'a@example.org', 'Work Email': 'x' })).toEqual([['INVALID_EMAIL', 'Work Email']]);
  });

  test('the quick look at an email says what normalizeEmail says', () => {
    const parts = ['a', 'ann.bell', '.a', 'a.', 'a..b', 'a+b', 'ü', 'a b', 'A', 'a_b', '-'];
    const hosts = [
      'example.org',
      'EXAMPLE.ORG',
      'a.b.c.org',
      'example',
      '-a.org',
      'a-.org',
      'a--b.org',
      'xn--mller-kva.org',
      'xn--.org',
      'müller.de',
      '1.2.3.4',
      'a.1',
      'a..org',
      'example.org.',
    ];
    for (const part of parts)
      for (const host of hosts)
        expect([`${part}@${host}`, isEmail(`${part}@${host}`)]).toEqual([`${part}@${host}`, normalizeEmail(`${part}@${host}`) !== null]);
  });

  test('tags', () => {
    const tags = (cell: string) => draftOf({ Name: 'Ann', Tags: cell }).tags;
    expect(tags('volunteer;board')).toEqual(['volunteer', 'board']);
    expect(tags('rower, cox')).toEqual(['rower', 'cox']);
    expect(tags('a|b')).toEqual(['a', 'b']);
    expect(tags('a\nb\r\nc')).toEqual(['a', 'b', 'c']);
    expect(tags('"Member","2026 regatta"')).toEqual(['Member', '2026 regatta']);
    expect(tags('"a ""b""","c, d"')).toEqual(['a "b"', 'c, d']);
    expect(tags('Board ::: * myContacts ::: * starred')).toEqual(['Board']);
    expect(tags('* friends ::: * myContacts')).toEqual(['friends']);
    expect(tags('Donors, big; Members')).toEqual(['Donors, big', 'Members']);
    expect(tags('a; a ;;b')).toEqual(['a', 'b']);
    expect(tags('__proto__;constructor')).toEqual(['__proto__', 'constructor']);
  });

  test('websites', () => {
    expect(draftOf({ Name: 'Ann', Website: 'https://example.org http://b.example.org', 'Personal Web Page': 'example.org/ann' }).contactPoints).toEqual([
      { kind: 'WEBSITE', label: null, value: 'https://example.org' },
      { kind: 'WEBSITE', label: null, value: 'http://b.example.org' },
      { kind: 'WEBSITE', label: null, value: 'example.org/ann' },
    ]);
  });

  test('websites is no text that has spaces', () => {
    const values = (cell: string) => draftOf({ Name: 'Ann', Website: cell }).contactPoints.map(({ value }) => value);
    expect(values('Baker. Likes boats')).toEqual(['Baker. Likes boats']);
    expect(values('My page ::: https://example.org')).toEqual(['My page', 'https://example.org']);
    expect(values('example.org | example.org/ann')).toEqual(['example.org', 'example.org/ann']);
    expect(draftOf({ Name: 'Ann', 'LinkedIn Bio': 'Baker. Likes boats' })).toEqual({
      ...empty,
      fields: { firstName: 'Ann' },
      notes: ['Baker. Likes boats'],
    });
  });
});

describe('an address', () => {
  test('may have postal code and city in one cell', () => {
    const both = (cell: string) => {
      const { postalCode, city } = fieldsOf({ Name: 'Ann', 'PLZ/Ort': cell });
      return [postalCode, city];
    };
    expect(both('12203 Berlin')).toEqual(['12203', 'Berlin']);
    expect(both('D-12203 Frankfurt am Main')).toEqual(['D-12203', 'Frankfurt am Main']);
    expect(both('1012 AB Amsterdam')).toEqual(['1012 AB', 'Amsterdam']);
    expect(both('69-848 Paczków')).toEqual(['69-848', 'Paczków']);
    expect(both('12203')).toEqual(['12203', undefined]);
    expect(both('Berlin')).toEqual([undefined, 'Berlin']);
  });

  test('has its street from several columns', () => {
    expect(fieldsOf({ Name: 'Ann', Straße: 'Hauptstr.', Hausnummer: '5a', Adresszusatz: 'Hinterhaus' }).street).toBe('Hauptstr. 5a, Hinterhaus');
    expect(fieldsOf({ Name: 'Ann', 'Address 1': '5 Main St', 'Address 2': 'Apt 4', City: 'Springfield' }).street).toBe('5 Main St, Apt 4');
    expect(fieldsOf({ Name: 'Ann', Street: '5 Main St\nApt 4' }).street).toBe('5 Main St, Apt 4');
  });

  test('is the contact’s own where it is the first, and a contact point where it is a further one', () => {
    const header = {
      'Business Street': '1 Work Rd',
      'Business City': 'Worktown',
      'Home Street': '2 Home Ln',
      'Home City': 'Hometown',
      'Home Postal Code': '02222',
    };
    expect(draftOf({ Name: 'Ann', ...header })).toEqual({
      ...empty,
      fields: { firstName: 'Ann', street: '1 Work Rd', city: 'Worktown' },
      contactPoints: [{ kind: 'ADDRESS', label: 'Home', value: '2 Home Ln, Hometown 02222' }],
    });
    expect(fieldsOf({ Name: 'Ann', ...header, 'Business Street': '', 'Business City': '' })).toEqual({
      firstName: 'Ann',
      street: '2 Home Ln',
      city: 'Hometown',
      postalCode: '02222',
    });
    // The same twice is one.
    expect(draftOf({ Name: 'Ann', ...header, 'Business Street': '2 Home Ln', 'Business City': 'Hometown', 'Home Postal Code': '' }).contactPoints).toEqual([]);
  });

  test('of Mailchimp has two spaces between its parts', () => {
    expect(draftOf({ 'First Name': 'Ann', Address: '5 Main St  Apt 4  Springfield  IL  62701  US' })).toEqual({
      ...empty,
      fields: { firstName: 'Ann', street: '5 Main St, Apt 4', city: 'Springfield', postalCode: '62701', country: 'United States' },
      contactPoints: [{ kind: 'ADDRESS', label: null, value: '5 Main St, Apt 4, Springfield, IL 62701, United States' }],
    });
    expect(draftOf({ 'First Name': 'Ann', Address: '5 Main St  Springfield IL 62701 US' }).contactPoints).toEqual([
      { kind: 'ADDRESS', label: null, value: '5 Main St, Springfield IL 62701 US' },
    ]);
  });

  test('of Mailchimp has parts that are no longer than other lines', () => {
    const long = 'x'.repeat(256);
    for (const address of [`5 Main St  ${long}  IL  62701  US`, `5 Main St  Springfield  IL  1${long}  US`, `${long}  ${long}  IL  62701  US`])
      expect(codesOf({ Name: 'Ann', Address: address })).toEqual([['VALUE_TOO_LONG', undefined]]);
  });

  test('with the parts of the own one is kept where it says more', () => {
    const pointsOf = (formatted: string, own = '') =>
      draftOf({
        Name: 'Ann',
        'Address 1 - Formatted': own,
        'Address 1 - Street': '1 Main',
        'Address 1 - City': 'Town',
        'Address 2 - Formatted': formatted,
        'Address 2 - Street': '1 Main',
        'Address 2 - City': 'Town',
      }).contactPoints.map(({ value }) => value);
    const more = 'c/o Smith, Gate 5, 1 Main, Town';
    expect(pointsOf(more)).toEqual([more]);
    expect(pointsOf(more, more)).toEqual([more]);
    expect(pointsOf('1 Main\nTown')).toEqual([]);
    expect(pointsOf('')).toEqual([]);
  });

  test('of Google’s second number is a further one with its own label', () => {
    const { fields, contactPoints } = draftOf({
      'First Name': 'Ann',
      'Address 1 - Label': '* Home',
      'Address 1 - Street': '1 A St',
      'Address 1 - Formatted': '1 A St',
      'Address 2 - Label': 'Boat',
      'Address 2 - Formatted': 'Pier 3\nHarbour',
      'Address 2 - Street': 'Pier 3',
      'Address 2 - City': 'Harbour',
    });
    expect([fields.street, contactPoints]).toEqual(['1 A St', [{ kind: 'ADDRESS', label: 'Boat', value: 'Pier 3, Harbour' }]]);
  });
});

describe('a membership', () => {
  const row = { Name: 'Ann', Plan: 'Adult', Start: '2020-01-01', End: '2021-01-01' };
  const known = { plans: ['Adult', 'Família', 'Élève', 'eleve'] };

  test('has the plan by its name in any case, without its accents where only one plan is called so', () => {
    const planOf = (plan: string) => draftOf({ ...row, Plan: plan }, { known }).memberships[0]!.planName;
    expect([planOf('ADULT'), planOf('familia'), planOf('Élève'), planOf('eleve')]).toEqual(['Adult', 'Família', 'Élève', 'eleve']);
    expect(codesOf({ ...row, Plan: 'ELEVE' }, { known })).toEqual([['UNKNOWN_PLAN', 'Plan']]);
    expect(draftOf({ ...row, End: '' }, { known }).memberships).toEqual([{ planName: 'Adult', startsOn: '2020-01-01', endsOn: null }]);
  });

  test('of an unknown plan, without a start, or that ends before it starts is a problem', () => {
    expect(problemsOf({ ...row, Plan: 'Secret' }, { known })).toEqual([
      {
        code: 'UNKNOWN_PLAN',
        column: 'Plan',
        message: 'The organization has no membership plan of this name. Make the plan, correct the name, or leave this column out.',
      },
    ]);
    expect(codesOf({ ...row, Plan: '!!' }, { known: { plans: ['★'] } })).toEqual([['UNKNOWN_PLAN', 'Plan']]);
    expect(codesOf({ ...row, Start: '' }, { known })).toEqual([['INCOMPLETE_MEMBERSHIP', undefined]]);
    expect(codesOf({ ...row, Plan: '' }, { known })).toEqual([['INCOMPLETE_MEMBERSHIP', undefined]]);
    expect(codesOf({ ...row, End: '2019-01-01' }, { known })).toEqual([['MEMBERSHIP_ENDS_BEFORE_START', undefined]]);
    expect(codesOf({ ...row, Start: 'x', Email: 'x' }, { known })).toEqual([
      ['INVALID_EMAIL', 'Email'],
      ['INVALID_DATE', 'Start'],
    ]);
    expect(draftOf({ ...row, Plan: '', Start: '', End: '' }, { known }).memberships).toEqual([]);
  });
});

describe('a custom field', () => {
  const customFields = [
    { key: 'text', label: 'Text', kind: 'TEXT' as const },
    { key: 'number', label: 'Number', kind: 'NUMBER' as const },
    { key: 'date', label: 'Day', kind: 'DATE' as const },
    { key: 'boolean', label: 'Newsletter', kind: 'BOOLEAN' as const },
  ];
  const valueOf = (label: string, value: string) => {
    const { results } = read(['Name', label], [['Ann', value]], { known: { customFields } });
    const [result] = results;
    return 'draft' in result! ? result.draft.customFields[0]?.value : result!.problems.map(({ code }) => code);
  };

  test('takes values of its kind in the forms that files have', () => {
    expect(valueOf('Text', ' a\nb ')).toBe('a\nb');
    expect(['12', '-1.5', '1.234,50', '1,5'].map((value) => valueOf('Number', value))).toEqual(['12', '-1.5', '1234.50', '1.5']);
    expect(['1990-12-31', '31.12.1990', '0/0/00'].map((value) => valueOf('Day', value))).toEqual(['1990-12-31', '1990-12-31', undefined]);
    expect(['yes', 'Ja', 'OUI', 'sí', 'Evet', 'TRUE', '1', 'x'].map((value) => valueOf('Newsletter', value))).toEqual(Array.from({ length: 8 }, () => 'true'));
    expect(['no', 'Nein', 'non', 'Hayır', 'false', '0'].map((value) => valueOf('Newsletter', value))).toEqual(Array.from({ length: 6 }, () => 'false'));
  });

  test('says what it takes where a value is of another', () => {
    expect([
      valueOf('Number', 'many'),
      valueOf('Number', '1.234'),
      valueOf('Day', 'x'),
      valueOf('Day', '01/02/1990'),
      valueOf('Newsletter', 'perhaps'),
    ]).toEqual([['INVALID_CUSTOM_FIELD'], ['AMBIGUOUS_NUMBER'], ['INVALID_DATE'], ['AMBIGUOUS_DATE'], ['INVALID_CUSTOM_FIELD']]);
    const mappings = (all: ColumnMapping[]) =>
      all.map((one) => (one.index === 1 ? { ...one, target: { field: 'CUSTOM_FIELD' as const, customFieldKey: 'gone' } } : one));
    expect(codesOf({ Name: 'Ann', x: '1' }, { mappings })).toEqual([['UNKNOWN_CUSTOM_FIELD', 'x']]);
  });
});

describe('a row', () => {
  test('is trimmed, composed, and may end before the header does', () => {
    const { drafts } = read(['First Name', 'Last Name', 'Email'], [['\u00a0 Zoe\u0308 ', '']]);
    expect(drafts).toEqual([{ ...empty, fields: { firstName: 'Zoë' } }]);
  });

  test('without a name, company or email is a problem', () => {
    expect(codesOf({ Name: '', Phone: '408 801 8531', Email: '' })).toEqual([['NO_NAME_OR_EMAIL', undefined]]);
    expect(fieldsOf({ Name: '', Company: 'Acme' })).toEqual({ company: 'Acme' });
  });

  test('that the reader could not read keeps its reason', () => {
    const problem = { code: 'CELL_TOO_LONG', column: 'Name', message: 'Too long.' };
    const drafter = new Drafter(recognize(['Name'], [], nothingKnown), settings, nothingKnown);
    expect(drafter.draft({ rowNumber: 2, cells: ['Ann'], problem })).toEqual({ problems: [problem] });
  });

  test('has all its problems, which repeat no value', () => {
    const cells = { Name: 'Secret', Email: 'secret', Birthday: 'secret', Plan: 'secret', Start: 'secret', Balance: 'secret' };
    const problems = problemsOf(cells);
    expect(problems.map(({ code }) => code)).toEqual(['INVALID_EMAIL', 'INVALID_DATE', 'UNKNOWN_PLAN', 'INVALID_DATE', 'INVALID_AMOUNT']);
    expect(JSON.stringify(problems)).not.toMatch(/secret/i);
  });

  test('keeps to the limits of what is stored', () => {
    const long = (length: number) => 'x'.repeat(length);
    for (const header of ['First Name', 'Last Name', 'Company', 'Job Title', 'Street', 'City', 'ZIP', 'Country', 'Member No', 'Full Name', 'Middle Name']) {
      expect(codesOf({ Email: 'a@example.org', [header]: long(256) })).toEqual([['VALUE_TOO_LONG', header]]);
      expect(draftOf({ Email: 'a@example.org', [header]: long(255) })).toBeTruthy();
    }
    expect(codesOf({ 'First Name': long(200), 'Middle Name': long(200) })).toEqual([['VALUE_TOO_LONG', undefined]]);
    expect(codesOf({ Name: 'Ann', Phone: long(1_001) })).toEqual([['VALUE_TOO_LONG', undefined]]);
    expect(codesOf({ Name: 'Ann', Notes: long(20_001) })).toEqual([['VALUE_TOO_LONG', 'Notes']]);
    expect(draftOf({ Name: 'Ann', Notes: long(20_000) }).notes[0]).toHaveLength(20_000);
    expect(codesOf({ Name: 'Ann', Tags: long(101) })).toEqual([['VALUE_TOO_LONG', 'Tags']]);
    const many = Array.from({ length: 51 }, (_, index) => `tag ${index}`);
    expect(codesOf({ Name: 'Ann', Tags: many.join(';') })).toEqual([['TOO_MANY_VALUES', undefined]]);
    expect(draftOf({ Name: 'Ann', Tags: many.slice(1).join(';') }).tags).toHaveLength(50);
  });

  test('with what is no text is a problem', () => {
    expect(codesOf({ Name: 'A\0nn' })).toEqual([['NUL_CHARACTER', 'Name']]);
    expect(codesOf({ Name: 'Ann\ud800' })).toEqual([['BROKEN_CHARACTER', 'Name']]);
    expect(codesOf({ Name: 'Ann', Tags: 'a\0;b' })).toEqual([['NUL_CHARACTER', 'Tags']]);
    expect(codesOf({ Name: 'Ann', 'Phone 1 - Label': 'a\0', 'Phone 1 - Value': '408 801 8531' })).toEqual([['NUL_CHARACTER', 'Phone 1 - Label']]);
  });

  test('with a label that is too long has one problem of its column', () => {
    for (const [kind, values] of [
      ['Phone', '408 801 8531; 408 801 8532; 408 801 8533'],
      ['E-mail', 'a@example.org; b@example.org; c@example.org'],
      ['Website', 'a.example.org b.example.org c.example.org'],
    ])
      expect(codesOf({ Name: 'Ann', [`${kind} 1 - Label`]: 'x'.repeat(256), [`${kind} 1 - Value`]: values! })).toEqual([
        ['VALUE_TOO_LONG', `${kind} 1 - Label`],
      ]);
  });

  test('with far more values than there may be is refused as one with a few more', () => {
    const cellOf = (value: (count: number) => string, column: number) =>
      Array.from({ length: 300 }, (_, index) => value(1_000_000 + column * 1_000 + index)).join(';');
    for (const [header, value] of [
      ['Tags', (count: number) => `tag ${count}`],
      ['Phone', (count: number) => `408 ${count}`],
      ['Email', (count: number) => `a${count}@b.org`],
      ['Website', (count: number) => `https://b.org/${count}`],
    ] as const) {
      const cells = Array.from({ length: 190 }, (_, column) => cellOf(value, column));
      const { problems } = read(['Name', ...cells.map(() => header)], [['Ann', ...cells]]);
      expect([header, problems.map(({ code }) => code)]).toEqual([header, ['TOO_MANY_VALUES']]);
    }
  });

  test('has the same value once, however often it is there', () => {
    const same = (value: string) => Array.from({ length: 60 }, () => value).join(';');
    const { tags, contactPoints, phones } = draftOf({
      Name: 'Ann',
      Tags: same('rower'),
      Phone: same('408 801 8531'),
      Email: same('a@example.org'),
      Website: same('https://example.org'),
    });
    expect([tags, contactPoints.map(({ value }) => value), phones]).toEqual([['rower'], ['https://example.org', '408 801 8531'], ['+14088018531']]);
  });

  test('with tags that are too long has one problem a cell', () => {
    const long = Array.from({ length: 60 }, () => 'x'.repeat(101)).join(';');
    expect(codesOf({ Name: 'Ann', Tags: long, Groups: long })).toEqual([
      ['VALUE_TOO_LONG', 'Tags'],
      ['VALUE_TOO_LONG', 'Groups'],
    ]);
  });

  test('has composed notes under a header that is not', () => {
    const nfd = (text: string) => text.normalize('NFD');
    const { notes } = draftOf({
      Entreprise: 'Acme',
      [nfd('Société')]: 'Bell Ltd',
      'First Name': 'Ann',
      [nfd('Prénom')]: 'Anna',
      [nfd('Doğum Günü')]: '06/12',
      City: 'Lyon',
      [nfd('Località')]: 'Paris',
      [nfd('Correo electrónico')]: 'Bob <a@example.org>',
      [nfd('Début')]: '2010',
    });
    expect(notes).toEqual(
      ['Début: 2010', 'Société: Bell Ltd\nPrénom: Anna\nDoğum Günü: 06/12\nLocalità: Paris\nCorreo electrónico: Bob'].map((note) => note.normalize('NFC')),
    );
    expect(codesOf({ Name: 'Ann', [nfd('Doğum Günü')]: 'x' })).toEqual([['INVALID_DATE', nfd('Doğum Günü')]]);
    const customFields = [{ key: 'size', label: 'Größe', kind: 'TEXT' as const }];
    const both = (all: ColumnMapping[]) =>
      all.map((one) => (one.index === 0 ? one : { ...one, target: { field: 'CUSTOM_FIELD' as const, customFieldKey: 'size' } }));
    expect(draftOf({ Name: 'Ann', Size: '1', [nfd('Größe')]: '2' }, { known: { customFields }, mappings: both }).notes).toEqual(['Größe: 2']);
    expect(recognize([nfd('Größe'), 'SIZE'], [], { plans, customFields }).map(({ header }) => header)).toEqual([nfd('Größe'), 'SIZE']);
  });

  test('keeps what has no place of its own as a note under its header', () => {
    expect(draftOf({ 'Company Name': 'Acme', 'Primary Company': 'Bell Ltd', Name: 'Ann', Birthday: '06/12' })).toEqual({
      ...empty,
      fields: { company: 'Acme', firstName: 'Ann' },
      notes: ['Primary Company: Bell Ltd\nBirthday: 06/12'],
    });
    expect(draftOf({ 'Company Name': 'Acme', 'Primary Company': 'Acme', Name: 'Ann' }).notes).toEqual([]);
    const mappings = (all: ColumnMapping[]) => all.map((one) => (one.index === 1 ? { ...one, target: { field: 'NOTE' as const, label: 'Shoe size' } } : one));
    expect(draftOf({ Name: 'Ann', shoe: '42' }, { mappings }).notes).toEqual(['Shoe size: 42']);
  });

  test('of hostile cells is read in no time', () => {
    const cells = [
      ' '.repeat(10_000),
      '"'.repeat(10_000),
      '<'.repeat(10_000),
      '1.'.repeat(5_000),
      '(('.repeat(5_000),
      'a@'.repeat(5_000),
      `${' \n'.repeat(5_000)}x`,
      '=1+1',
      '- '.repeat(5_000),
      ', '.repeat(5_000),
      `1${' '.repeat(9_990)}/2`,
      `1${' '.repeat(9_990)},2`,
      `a@b.org${','.repeat(4_900)}`,
      `a,${' '.repeat(9_990)}b`,
      `"a"${' '.repeat(9_990)}"b"`,
    ];
    const headers = ['Full Name', 'Email', 'Phone', 'Birthday', 'Balance', 'Tags', 'Website', 'PLZ/Ort', 'Full Address', 'Notes', 'Country'];
    const { results } = read(
      headers,
      cells.map((cell) => headers.map(() => cell)),
    );
    expect(results).toHaveLength(cells.length);
  });
});
