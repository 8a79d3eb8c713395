// The contact graph, derived from the entities: which tables a contact owns, in which order they can be written, and what
// they refer to but do not own. A new contact-owned entity needs no edit here.
import type { MikroORM } from '@mikro-orm/postgresql';
import { quoted } from '../sql.ts';
import { checkGraph, keysOf, type Meta, primaryOf, root, targetOf } from './graph-checks.ts';

/** The version of the tables that snapshots are taken from; raised by each migration that changes a table of the graph. */
export const schemaVersion = 2;

/** Owned tables that are computed from others: removed and rebuilt with the graph, never captured. */
const rebuilt = new Set(['balance']);

export interface Column {
  name: string;
  type: string;
}

/** A key to something that the graph refers to but does not own. */
export interface Reference {
  column: string;
  target: string;
  /** A mandatory target travels in the snapshot and is recreated when it is gone; another is left empty then. */
  mandatory: boolean;
}

export interface GraphTable {
  name: string;
  /** The name of the entity, as clients know it. */
  kind: string;
  columns: Column[];
  /** The columns of the primary key without the organization: the order of rows within a contact. */
  key: string[];
  /** The column that says whose row it is. */
  contactColumn: string;
  references: Reference[];
  /** Keys to other tables of the graph, but for the one to the contact. */
  inner: { column: string; target: string }[];
  /** The column that tells two rows of an organization apart for people, such as a tag's name; undefined when there is none. */
  natural: string | undefined;
}

export interface ContactGraph {
  /** Captured tables, parents first: the order of writing; reversed, the order of removing. */
  tables: GraphTable[];
  /** Owned tables that are rebuilt. */
  rebuilt: string[];
  /** Tables that are referred to by mandatory keys. */
  referenced: Map<string, GraphTable>;
}

/**
 * Reads the graph out of the ORM's metadata: a table is owned when it has a mandatory key to the contact.
 * @throws StartupError naming an entity that hangs on the graph but that the engine could not bring back
 */
export function contactGraph(orm: MikroORM): ContactGraph {
  const all = [...orm.getMetadata().getAll().values()].filter((meta) => meta.tableName && !meta.abstract);
  const owned = all.filter((meta) => meta.tableName === root || keysOf(meta).some((key) => targetOf(key) === root && !key.nullable));
  const ownedNames = new Set(owned.map((meta) => meta.tableName));
  const captured = inOrder(owned.filter((meta) => !rebuilt.has(meta.tableName)));
  const tables = captured.map((meta) => describe(meta, ownedNames));
  const targets = new Set(tables.flatMap((table) => table.references.filter((one) => one.mandatory).map((one) => one.target)));
  const referred = all.filter((meta) => targets.has(meta.tableName));
  checkGraph(all, owned, referred);
  const referenced = new Map(referred.map((meta) => [meta.tableName, describe(meta, ownedNames)]));
  return { tables, rebuilt: [...rebuilt].filter((name) => ownedNames.has(name)), referenced };
}

/** The quoted names of columns, as a statement lists them. */
export const columnList = (columns: readonly { name: string }[], alias = ''): string => columns.map((column) => `${alias}${quoted(column.name)}`).join(', ');

/** The order that the rows of a table are captured and digested in. */
export const rowOrder = (table: GraphTable, alias = ''): string =>
  [...new Set([table.contactColumn, ...table.key])].map((name) => `${alias}${quoted(name)}`).join(', ');

/** Parents before children. */
function inOrder(metas: Meta[]): Meta[] {
  const done: Meta[] = [];
  const add = (meta: Meta, path: Meta[]): void => {
    if (done.includes(meta) || path.includes(meta)) return;
    for (const key of keysOf(meta)) {
      const parent = metas.find((one) => one.tableName === targetOf(key));
      if (parent) add(parent, [...path, meta]);
    }
    done.push(meta);
  };
  [...metas].sort((a, b) => a.tableName.localeCompare(b.tableName)).forEach((meta) => add(meta, []));
  return done;
}

function describe(meta: Meta, owned: Set<string>): GraphTable {
  const columns = new Map<string, string>();
  for (const property of meta.props) {
    if (property.persist === false || property.generated || !property.fieldNames) continue;
    property.fieldNames.forEach((name, index) => columns.set(name, property.columnTypes[index]!));
  }
  const references = keysOf(meta)
    .filter((key) => !owned.has(targetOf(key)) && key.fieldNames.length > 1)
    .map((key) => ({ column: key.fieldNames.at(-1)!, target: targetOf(key), mandatory: !key.nullable }));
  const inner = keysOf(meta)
    .filter((key) => owned.has(targetOf(key)) && targetOf(key) !== root)
    .map((key) => ({ column: key.fieldNames.at(-1)!, target: targetOf(key) }));
  const natural = meta.uniques.map(({ properties }) => [properties].flat()).find((names) => names.length === 2 && names.includes('organizationId'));
  const naturalProperty = natural?.find((name) => name !== 'organizationId');
  return {
    name: meta.tableName,
    kind: meta.className,
    columns: [...columns].map(([name, type]) => ({ name, type })),
    key: primaryOf(meta).filter((name) => name !== 'organization_id'),
    contactColumn: meta.tableName === root ? 'id' : 'contact_id',
    references,
    inner,
    natural: naturalProperty && meta.properties[naturalProperty]!.fieldNames[0],
  };
}
