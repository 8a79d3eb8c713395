// An entity that contacts own and that the engine could not take along, bring back or even see is named before it ships.
import { readdirSync } from 'node:fs';
import { defineEntity, EntitySchema, MikroORM, p } from '@mikro-orm/postgresql';
import { describe, expect, it } from 'vitest';
import { createdNow, ofOneOrganization, rootKey, tenantKey } from '../src/entities/columns.ts';
import { Contact, Membership, Tag } from '../src/entities/contact.ts';
import { entities } from '../src/entities/index.ts';
import { StartupError } from '../src/errors.ts';
import { contactGraph } from '../src/snapshots/graph.ts';
import { createWorld, type World } from './harness.ts';

/** The graph of the product's entities and some more. */
const graphWith = (...more: EntitySchema[]) => graphFrom([...entities, ...more]);
const graphFrom = async (all: EntitySchema[]) => contactGraph(await MikroORM.init({ entities: all, dbName: 'none' }));

const contact = () => p.manyToOne(Contact).ref().joinColumns('organization_id', 'contact_id').updateRule('no action').deleteRule('no action');

const Pet = defineEntity({
  name: 'Pet',
  tableName: 'pet',
  ...ofOneOrganization,
  properties: { ...tenantKey, contact, name: p.text(), createdAt: createdNow() },
});

const Colour = defineEntity({ name: 'Colour', tableName: 'colour', ...ofOneOrganization, properties: { ...rootKey, name: p.text() } });

describe('an entity with a mandatory key to the contact', () => {
  it('is captured and restored with no edit to the engine, and what it refers to travels', async () => {
    const Fish = defineEntity({
      name: 'Fish',
      tableName: 'fish',
      ...ofOneOrganization,
      properties: {
        ...tenantKey,
        contact,
        pet: () => p.manyToOne(Pet).ref().joinColumns('organization_id', 'pet_id'),
        colour: () => p.manyToOne(Colour).ref().joinColumns('organization_id', 'colour_id'),
      },
    });
    const graph = await graphWith(Fish, Pet, Colour);
    const names = graph.tables.map((table) => table.name);
    expect(names).toEqual(expect.arrayContaining(['pet', 'fish']));
    expect(names.indexOf('pet')).toBeLessThan(names.indexOf('fish'));
    expect([...graph.referenced.keys()]).toContain('colour');
  });
});

describe('an entity is named when it', () => {
  const named: [how: string, expected: RegExp, ...entities: EntitySchema[]][] = [
    [
      'has the id of a contact without a key',
      /^Pet\.contactId names contacts, but is no key to Contact/,
      defineEntity({ name: 'Pet', tableName: 'pet', ...ofOneOrganization, properties: { ...tenantKey, contactId: p.uuid(), name: p.text() } }),
    ],
    [
      'has ids of contacts under another name',
      /^Pet\.vetContactIds names contacts/,
      defineEntity({ name: 'Pet', tableName: 'pet', ...ofOneOrganization, properties: { ...tenantKey, vetContactIds: p.array().columnType('uuid[]') } }),
    ],
    [
      'has an optional key to the contact',
      /^Pet\.contact refers to the contact graph, but Pet has no mandatory key to Contact/,
      defineEntity({ name: 'Pet', tableName: 'pet', ...ofOneOrganization, properties: { ...tenantKey, contact: () => contact().nullable() } }),
    ],
    [
      'hangs on something that contacts own',
      /^Pet\.membership refers to the contact graph, but Pet has no mandatory key to Contact/,
      defineEntity({
        name: 'Pet',
        tableName: 'pet',
        ...ofOneOrganization,
        properties: { ...tenantKey, membership: () => p.manyToOne(Membership).ref().joinColumns('organization_id', 'membership_id') },
      }),
    ],
    [
      'is tied to the contact one to one, but not mandatorily',
      /^Pet\.contact refers to the contact graph/,
      defineEntity({
        name: 'Pet',
        tableName: 'pet',
        ...ofOneOrganization,
        properties: { ...tenantKey, contact: () => p.oneToOne(Contact).ref().owner().joinColumns('organization_id', 'contact_id').nullable() },
      }),
    ],
    [
      'has a primary key that does not begin with the organization',
      /^Pet is owned by contacts, but its primary key is not the organization and what tells its rows apart/,
      defineEntity({ name: 'Pet', tableName: 'pet', ...ofOneOrganization, properties: { id: p.uuid().primary(), contact } }),
    ],
    [
      'has a key to the contact in another column',
      /^Pet\.owner is a key to Contact with the columns organization_id and owner_id/,
      defineEntity({
        name: 'Pet',
        tableName: 'pet',
        ...ofOneOrganization,
        properties: { ...tenantKey, owner: () => p.manyToOne(Contact).ref().joinColumns('organization_id', 'owner_id') },
      }),
    ],
    [
      'has two keys to contacts',
      /^Pet\.vet is a second key to Contact/,
      defineEntity({
        name: 'Pet',
        tableName: 'pet',
        ...ofOneOrganization,
        properties: { ...tenantKey, contact, vet: () => p.manyToOne(Contact).ref().joinColumns('organization_id', 'vet_id').nullable() },
      }),
    ],
    [
      'refers to something by a key without the organization',
      /^Pet\.shop is a key to Shop with the columns shop_id/,
      ...(() => {
        const Shop = defineEntity({ name: 'Shop', tableName: 'shop', properties: { id: p.uuid().primary() } });
        return [
          Shop,
          defineEntity({ name: 'Pet', tableName: 'pet', ...ofOneOrganization, properties: { ...tenantKey, contact, shop: () => p.manyToOne(Shop).ref() } }),
        ];
      })(),
    ],
    [
      'must have something that itself refers to what does not travel',
      /^Breed\.tag refers to Tag, which does not travel with what contacts own, so Breed could not be recreated/,
      ...(() => {
        const Breed = defineEntity({
          name: 'Breed',
          tableName: 'breed',
          ...ofOneOrganization,
          properties: { ...rootKey, tag: () => p.manyToOne(Tag).ref().joinColumns('organization_id', 'tag_id') },
        });
        const breed = () => p.manyToOne(Breed).ref().joinColumns('organization_id', 'breed_id');
        return [Breed, defineEntity({ name: 'Pet', tableName: 'pet', ...ofOneOrganization, properties: { ...tenantKey, contact, breed } })];
      })(),
    ],
    [
      'must have something that has no id',
      /^Breed is referred to by what contacts own, but its primary key is not organization_id and id/,
      ...(() => {
        const Breed = defineEntity({
          name: 'Breed',
          tableName: 'breed',
          ...ofOneOrganization,
          properties: { organizationId: p.uuid().primary(), code: p.text().primary() },
        });
        const breed = () => p.manyToOne(Breed).ref().joinColumns('organization_id', 'breed_code');
        return [Breed, defineEntity({ name: 'Pet', tableName: 'pet', ...ofOneOrganization, properties: { ...tenantKey, contact, breed } })];
      })(),
    ],
    [
      'and another refer to each other',
      /^(Cage, Bird|Bird, Cage) refer to each other in a circle/,
      ...(() => {
        const cage = () => p.manyToOne(Cage).ref().joinColumns('organization_id', 'cage_id');
        const Bird = defineEntity({ name: 'Bird', tableName: 'bird', ...ofOneOrganization, properties: { ...tenantKey, contact, cage } });
        const bird = () => p.manyToOne(Bird).ref().joinColumns('organization_id', 'bird_id').nullable();
        const Cage: EntitySchema = defineEntity({ name: 'Cage', tableName: 'cage', ...ofOneOrganization, properties: { ...tenantKey, contact, bird } });
        return [Bird, Cage];
      })(),
    ],
  ];
  for (const [how, expected, ...more] of named)
    it(`${how}`, async () => {
      const refused = await graphWith(...more).then(
        () => undefined,
        (error: unknown) => error,
      );
      expect(refused).toBeInstanceOf(StartupError);
      expect((refused as StartupError).message).toMatch(expected);
    });

  it('is the contact and refers to another contact', async () => {
    const partner = () => p.manyToOne(Person).ref().joinColumns('organization_id', 'partner_id').nullable();
    const Person: EntitySchema = defineEntity({ name: 'Person', tableName: 'contact', ...ofOneOrganization, properties: { ...tenantKey, partner } });
    await expect(graphFrom([Person])).rejects.toThrow('Person.partner refers from contact to contact, which may come back one without the other.');
  });
});

describe('every entity', () => {
  const schemas = (files: readonly object[]) => files.flatMap((file) => Object.values(file).filter((value) => value instanceof EntitySchema));
  const forgotten = (declared: readonly EntitySchema[]) => declared.filter((one) => !entities.includes(one)).map((one) => one.meta.className);

  it('that a file in src/entities declares is on the list of the ORM', async () => {
    const directory = new URL('../src/entities/', import.meta.url);
    const files = await Promise.all(readdirSync(directory).map((file) => import(new URL(file, directory).href) as Promise<object>));
    expect(schemas(files).length).toBeGreaterThan(20);
    expect(forgotten(schemas(files))).toEqual([]);
    expect(forgotten(schemas([...files, { Pet }]))).toEqual(['Pet']);
  });

  it('that names contacts is known to the graph or to the records, and the database has no table beside them', async () => {
    await using world = await createWorld();
    expect(await strangers(world)).toEqual([]);
    await world.owner.query('create table pet (organization_id uuid, id uuid, contact_id uuid)');
    expect(await strangers(world)).toEqual(['pet']);
  });
});

/** The tables of the database that name contacts and are no entity. */
async function strangers(world: World): Promise<string[]> {
  const { rows } = await world.owner.query<{ name: string }>(`
    select distinct t.table_name as name from information_schema.tables t
    join information_schema.columns c using (table_schema, table_name)
    where t.table_schema = 'public' and t.table_type = 'BASE TABLE' and c.column_name ~ '(^|_)contact_ids?$' order by 1`);
  const known = new Set(entities.map((entity) => entity.meta.tableName));
  return rows.map(({ name }) => name).filter((name) => !known.has(name));
}
