// The comparable form of contact points: the same however a value is written, and on every way that writes one.
import { randomBytes, randomUUID } from 'node:crypto';
import pg from 'pg';
import { describe, expect, inject, it } from 'vitest';
import { type ContactPointInput, CreateContactDocument, CreateContactsDocument } from '../sdk/generated.ts';
import { comparableForm, type ContactPointKind } from '../src/domain/contact-points.ts';
import { ownerOrm } from '../src/migrate.ts';
import { quoted } from '../src/sql.ts';
import { fill } from './graphs.ts';
import { createWorld, type World } from './harness.ts';

const long = (letter: string) => Array.from({ length: 1_000 }, () => letter).join('');

interface Point {
  kind: ContactPointKind;
  value: string;
  normalized: string;
}
const pointsOf = async (client: pg.ClientBase) =>
  (await client.query<Point>('select kind, value, normalized from contact_point order by organization_id, id')).rows;
const compared = (points: readonly Point[]) => points.map(({ kind, value }) => ({ kind, value, normalized: comparableForm(kind, value) }));

describe('the comparable form', () => {
  const alike: Record<ContactPointKind, [form: string, ...written: string[]][]> = {
    EMAIL: [
      ['chloe@example.org', ' Chloe@Example.ORG', 'chloe@example.org', 'ｃｈｌｏｅ@example.org'],
      ['taro@xn--r8jz45g.example', 'taro@例え.example', 'TARO@例え。example'],
      ['at home only', 'At home only ', 'at home only'],
      ['ann@localhost', 'Ann@localhost'],
    ],
    PHONE: [
      ['+351912345678', '+351 (91) 234-56 78', ' +351.912.345.678', '＋351912345678', 'tel:+351-912-345-678'],
      ['024683', '024-683', '(024) 683', '０24683'],
      ['12', '1+2'],
      ['ask anna', 'Ask Anna'],
      ['+', '+'],
    ],
    WEBSITE: [
      ['example.org', 'https://Example.org/', 'EXAMPLE.ORG', 'http://example.org//', 'example.org'],
      ['example.org/Über/uns', 'HTTPS://Example.ORG/Über/uns/', 'example.org/Über/uns'],
      ['example.org?q=A', 'http://Example.org?q=A'],
      ['https://', 'HTTPS://'],
    ],
    ADDRESS: [
      ['12 hauptstrasse, ghent', '  12  Hauptstraße,\n GHENT ', '12 HAUPTSTRASSE, Ghent', '12 hauptstraße,\u00a0ghent'],
      ['οδος 1', 'ΟΔΟΣ 1', 'οδος 1', 'οδοσ 1'],
    ],
  };

  for (const [kind, forms] of Object.entries(alike) as [ContactPointKind, (typeof alike)[ContactPointKind]][])
    for (const [form, ...written] of forms)
      it(`of the ${kind} ${written.map((value) => JSON.stringify(value)).join(' and ')} is ${form}`, () => {
        expect(written.map((value) => comparableForm(kind, value))).toEqual(written.map(() => form));
        expect(comparableForm(kind, form)).toBe(form);
      });

  it('of what is too long for an index is its digest', () => {
    expect(comparableForm('ADDRESS', long('x'))).toBe(long('x'));
    const [one, same, other] = [`${long('é')}`, `${long('É')} `, `${long('é')}é`].map((value) => comparableForm('ADDRESS', value));
    expect(one).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect([same === one, other === one]).toEqual([true, false]);
  });
});

describe('contact points get their comparable form', () => {
  const contactPoints: ContactPointInput[] = [
    { kind: 'EMAIL', value: 'Chloe@Example.ORG' },
    { kind: 'PHONE', label: 'Mobile', value: '+351 (91) 234-56 78' },
    { kind: 'WEBSITE', value: 'https://Example.org/' },
    { kind: 'ADDRESS', value: '12  Hauptstraße' },
    // As long as a value may be, in letters of four bytes that no compression makes shorter.
    { kind: 'ADDRESS', value: Array.from({ length: 500 }, () => String.fromCodePoint(0x20000 + (randomBytes(2).readUInt16BE() % 0xa000))).join('') },
  ];

  it('when one contact is created, and when many are', async () => {
    await using world = await createWorld();
    const staff = await world.as('Staff');
    await staff.request(CreateContactDocument, { input: { firstName: 'Chloé', contactPoints } });
    await staff.request(CreateContactsDocument, { input: { contacts: [{ firstName: 'Bo', contactPoints }] } });
    const points = await pointsOf(world.owner);
    expect(points).toHaveLength(10);
    expect(points).toEqual(compared(points));
    expect(points[1]!.normalized).toBe('+351912345678');
  });

  it('from the generator of the demo, which computes it in SQL', async () => {
    await using world = await createWorld();
    await fill(world, 300);
    const points = await pointsOf(world.owner);
    expect(points).toHaveLength(600);
    expect(points).toEqual(compared(points));
  });

  it('in a database that was there before, of every organization, by an owner who is bound by row-level security', async () => {
    await using world = await createWorld();
    await using old = await oldDatabase(world);
    const values = Array.from({ length: 30 }, (_, n) => ['PHONE', n % 2 ? `+1 (555) ${n}` : `it's 100 % \\ ${n}? $1`] as const);
    const organizations = [];
    for (const name of ['One', 'Two']) {
      const id = randomUUID();
      organizations.push(id);
      await old.owner.query(`begin; set local app.organization_id = '${id}'`);
      // As it was then.
      await old.owner.query(`insert into organization (id, name, plan, currency) values ($1, $2, 'FREE', 'EUR')`, [id, name]);
      await old.owner.query(`insert into contact (organization_id, id, sort_name, search_text) values ($1, $1, 'x', 'x')`, [id]);
      await old.owner.query(
        `insert into contact_point (organization_id, id, contact_id, kind, value) select $1, gen_random_uuid(), $1, kind, value from unnest($2::text[], $3::text[]) v (kind, value)`,
        [id, values.map(([kind]) => kind), values.map(([, value]) => value)],
      );
      await old.owner.query('commit');
    }
    await old.migrate();
    for (const id of organizations) {
      await old.owner.query(`begin; set local app.organization_id = '${id}'`);
      const points = await pointsOf(old.owner);
      await old.owner.query('commit');
      expect(points).toHaveLength(30);
      expect(points).toEqual(compared(points));
    }
    expect(await pointsOf(old.owner)).toEqual([]);
  });
});

/** A database at the schema before contact points had a comparable form, owned by a role that is no superuser. */
async function oldDatabase(world: World): Promise<{ owner: pg.Client; migrate: () => Promise<void> } & AsyncDisposable> {
  const name = `${inject('template').name}_${randomBytes(5).toString('hex')}`;
  await world.admin.query(`create role ${quoted(name)} login password 'owner'`);
  await world.admin.query(`create database ${quoted(name)} owner ${quoted(name)}`);
  const address = new URL(inject('template').url);
  [address.pathname, address.username, address.password] = [name, name, 'owner'];
  const up = async (options?: { to: string }) => {
    const orm = await ownerOrm(address.href);
    await orm.migrator.up(options);
    await orm.close();
  };
  await up({ to: 'Migration20261124142247' });
  const owner = new pg.Client({ connectionString: address.href });
  await owner.connect();
  return {
    owner,
    migrate: () => up(),
    async [Symbol.asyncDispose]() {
      await owner.end();
      await world.admin.query(`drop database ${quoted(name)} with (force)`);
      await world.admin.query(`drop role ${quoted(name)}`);
    },
  };
}
