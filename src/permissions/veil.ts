// Hides groups of a contact's fields from those whose roles hide them. It lies on the types and not on the ways to them, so
// whichever way an answer comes to a field, it is null, and the answer's extensions say so. For those who see everything it costs
// a look at an empty set.
import {
  defaultFieldResolver,
  getNamedType,
  type GraphQLField,
  type GraphQLObjectType,
  type GraphQLResolveInfo,
  type GraphQLSchema,
  isNonNullType,
  isObjectType,
} from 'graphql';
import type { Context } from '../context.ts';
import { StartupError } from '../errors.ts';
import { allFieldGroups, type FieldGroup, groupsOfRow } from './field-groups.ts';

/** Type name, field name, the groups that it takes. */
export type Groups = Readonly<Record<string, Readonly<Record<string, readonly FieldGroup[]>>>>;

export interface Visibility {
  /** Null for those who do not see all of its groups. */
  hides: Groups;
  /** Without what belongs to a hidden group, which its resolver sees to. */
  leavesOut: Groups;
}

type Field = GraphQLField<unknown, Context>;
type Resolver = NonNullable<Field['resolve']>;

/** Where in the answer a field is: names, without the places in lists. */
function pathOf({ path }: GraphQLResolveInfo): string[] {
  const names: string[] = [];
  for (let at: GraphQLResolveInfo['path'] | undefined = path; at; at = at.prev) if (typeof at.key === 'string') names.unshift(at.key);
  return names;
}

/** Veils the schema in place. @throws StartupError for a field that is not there, or that can't be null and would have to be */
export function veil(schema: GraphQLSchema, { hides, leavesOut }: Visibility): GraphQLSchema {
  const fieldOf = (type: string, name: string): Field => {
    const field = (schema.getType(type) as GraphQLObjectType<unknown, Context> | undefined)?.getFields()[name];
    if (!field) throw new StartupError(`src/permissions/index.ts hides a field that the schema lacks: ${type}.${name}.`);
    return field;
  };
  for (const [type, fields] of Object.entries(hides))
    for (const [name, groups] of Object.entries(fields)) {
      const field = fieldOf(type, name);
      if (isNonNullType(field.type)) throw new StartupError(`${type}.${name} is hidden from some, so it must be nullable.`);
      before(field, groups, (context, info, hidden) => {
        context.leaveOut(hidden[0]!, pathOf(info));
        return null;
      });
    }
  for (const [type, fields] of Object.entries(leavesOut)) for (const [name, groups] of Object.entries(fields)) before(fieldOf(type, name), groups, noteAll);
  // Numbers of rows by kind are left out wherever they are.
  for (const type of Object.values(schema.getTypeMap()).filter(isObjectType))
    for (const field of Object.values(type.getFields() as Record<string, Field>))
      if (getNamedType(field.type).name === 'RowCount')
        before(field, allFieldGroups, async (context, info, hidden, resolve) => {
          void noteAll(context, info, hidden, () => null);
          return ((await resolve()) as { kind: string }[]).filter(({ kind }) => !groupsOfRow(kind).some((group) => context.hidden.has(group)));
        });
  return schema;
}

type Instead = (context: Context, info: GraphQLResolveInfo, hidden: FieldGroup[], resolve: () => unknown) => unknown;

const noteAll: Instead = (context, info, hidden, resolve) => {
  const path = pathOf(info);
  for (const group of hidden) context.leaveOut(group, path);
  return resolve();
};

/** Does `instead` when one of the groups is hidden. */
function before(field: Field, groups: readonly FieldGroup[], instead: Instead): void {
  const resolve: Resolver = field.resolve ?? defaultFieldResolver;
  field.resolve = (parent, args, context, info) => {
    if (context.hidden.size === 0) return resolve(parent, args, context, info) as unknown;
    const hidden = groups.filter((group) => context.hidden.has(group));
    return hidden.length > 0 ? instead(context, info, hidden, () => resolve(parent, args, context, info)) : (resolve(parent, args, context, info) as unknown);
  };
}
