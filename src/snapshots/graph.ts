// The contact graph, derived from the entities: which tables a contact owns, in which order they can be written, and what
// they refer to but do not own. A new contact-owned entity needs no edit here.
import type { EntityMetadata, EntityProperty, MikroORM } from '@mikro-orm/postgresql';
import { StartupError } from '../errors.ts';
import { quoted } from '../sql.ts';

/** The version of the tables that snapshots are taken from; raised by each migration that changes a table of the graph. */
export const schemaVersion = 1;

const root = 'contact';

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
  const owned = all.filter((meta) => meta.tableName === root || keysOf(meta).some((key) => leadsTo(key, root) && !key.nullable));
  const ownedNames = new Set(owned.map((meta) => meta.tableName));
  for (const meta of all) {
    const stray = !ownedNames.has(meta.tableName) && keysOf(meta).find((key) => ownedNames.has(key.targetMeta!.tableName));
    if (stray)
      throw new StartupError(
        `${meta.className}.${stray.name} refers to the contact graph, but ${meta.className} has no mandatory key to Contact, so a deletion could not take it along. Give it one.`,
      );
  }
  const captured = inOrder(owned.filter((meta) => !rebuilt.has(meta.tableName)));
  const tables = captured.map((meta) => describe(meta, ownedNames));
  const targets = new Set(tables.flatMap((table) => table.references.filter((one) => one.mandatory).map((one) => one.target)));
  const referenced = new Map(all.filter((meta) => targets.has(meta.tableName)).map((meta) => [meta.tableName, describe(meta, ownedNames)]));
  return { tables, rebuilt: [...rebuilt].filter((name) => ownedNames.has(name)), referenced };
}

/** The quoted names of columns, as a statement lists them. */
export const columnList = (columns: readonly { name: string }[], alias = ''): string => columns.map((column) => `${alias}${quoted(column.name)}`).join(', ');

/** The order that the rows of a table are captured and digested in. */
export const rowOrder = (table: GraphTable, alias = ''): string =>
  [...new Set([table.contactColumn, ...table.key])].map((name) => `${alias}${quoted(name)}`).join(', ');

type Meta = EntityMetadata;
type Key = EntityProperty;

const keysOf = (meta: Meta): Key[] => meta.props.filter((property) => property.kind === 'm:1' && property.targetMeta);
const leadsTo = (key: Key, table: string) => key.targetMeta!.tableName === table;

/** Parents before children. */
function inOrder(metas: Meta[]): Meta[] {
  const done: Meta[] = [];
  const add = (meta: Meta, path: Meta[]): void => {
    if (done.includes(meta) || path.includes(meta)) return;
    for (const key of keysOf(meta)) {
      const parent = metas.find((one) => leadsTo(key, one.tableName));
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
  const primary = meta.props.filter((property) => property.primary).flatMap((property) => property.fieldNames);
  const references = keysOf(meta)
    .filter((key) => !owned.has(key.targetMeta!.tableName) && key.fieldNames.length > 1)
    .map((key) => ({ column: key.fieldNames.at(-1)!, target: key.targetMeta!.tableName, mandatory: !key.nullable }));
  return {
    name: meta.tableName,
    kind: meta.className,
    columns: [...columns].map(([name, type]) => ({ name, type })),
    key: [...new Set(primary)].filter((name) => name !== 'organization_id'),
    contactColumn: meta.tableName === root ? 'id' : 'contact_id',
    references,
  };
}
