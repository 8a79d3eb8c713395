// The contract as something to walk: its root fields, the places that take ids, and documents that ask for what is there. What
// is added to the schema is walked by itself.
import { readFileSync } from 'node:fs';
import {
  buildSchema,
  getNamedType,
  isCompositeType,
  isInputObjectType,
  isObjectType,
  parse,
  type DocumentNode,
  type GraphQLArgument,
  type GraphQLField,
  type GraphQLInputField,
  type GraphQLObjectType,
  type GraphQLOutputType,
} from 'graphql';

export const schema = buildSchema(readFileSync(new URL('../schema.graphql', import.meta.url), 'utf8'));

export type Field = GraphQLField<unknown, unknown>;

const roots = [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()] as GraphQLObjectType[];

/** Every root field, as "Mutation.addNote". */
export const rootFields = new Map<string, Field>(
  roots.flatMap((root) => Object.values(root.getFields()).map((field) => [`${root.name}.${field.name}`, field])),
);

/** Every place among the arguments of root fields whose type bears that name, as "Mutation.addNote.input.contactId". */
export function placesOf(typeName: string): string[] {
  const within = (path: string, { name, type }: GraphQLArgument | GraphQLInputField): string[] => {
    const named = getNamedType(type);
    if (named.name === typeName) return [`${path}.${name}`];
    return isInputObjectType(named) ? Object.values(named.getFields()).flatMap((field) => within(`${path}.${name}`, field)) : [];
  };
  return [...rootFields].flatMap(([field, { args }]) => args.flatMap((arg) => within(field, arg)));
}

/** The root field of a place, and the way to the place among its variables. */
export function partsOf(place: string): { field: string; way: string[] } {
  const [root, name, ...way] = place.split('.');
  return { field: `${root}.${name}`, way };
}

/** The value at the end of a way, where the lists on the way hold it. */
export function valueAt(value: unknown, way: readonly string[]): unknown {
  if (Array.isArray(value)) return valueAt(value[0], way);
  const [key, ...rest] = way;
  return key === undefined || value == null ? value : valueAt((value as Record<string, unknown>)[key], rest);
}

/** The same with another value at the end of the way; in a list behind what is there or, `alone`, in its place. */
export function replaced(value: unknown, way: readonly string[], other: unknown, alone: boolean): unknown {
  const [key, ...rest] = way;
  if (Array.isArray(value)) return key === undefined ? [...(alone ? [] : (value as unknown[])), other] : value.map((one) => replaced(one, way, other, alone));
  return key === undefined ? other : { ...(value as Record<string, unknown>), [key]: replaced((value as Record<string, unknown>)[key], rest, other, alone) };
}

/** The fields of a type and of what is directly in it, as deep as `depth`, without fields that take arguments. */
export function selectionOf(type: GraphQLOutputType, depth: number): string {
  const named = getNamedType(type);
  if (!isCompositeType(named)) return '';
  if (!isObjectType(named)) return '{ __typename }';
  const fields = Object.values(named.getFields()).filter(({ args }) => args.length === 0);
  const told = fields.flatMap((field) => {
    if (!isCompositeType(getNamedType(field.type))) return [field.name];
    return depth > 0 ? [`${field.name} ${selectionOf(field.type, depth - 1)}`] : [];
  });
  return `{ ${told.join(' ') || '__typename'} }`;
}

/** The arguments of a field as variables: how an operation declares them, and gives them to the field. */
export function argumentsOf({ args }: Field): { declared: string; given: string } {
  if (args.length === 0) return { declared: '', given: '' };
  // One that has a default may be left out, so that the default holds.
  const declared = args.map(({ name, type, defaultValue }) => `$${name}: ${defaultValue === undefined ? String(type) : String(type).replace(/!$/, '')}`);
  return { declared: `(${declared.join(', ')})`, given: `(${args.map(({ name }) => `${name}: $${name}`).join(', ')})` };
}

/** An operation that asks for one root field with all of its arguments as variables. */
export function documentOf(path: string, selection?: string): DocumentNode {
  const field = rootFields.get(path)!;
  const { declared, given } = argumentsOf(field);
  return parse(`${path.split('.')[0]!.toLowerCase()} ${declared} { ${field.name}${given} ${selection ?? selectionOf(field.type, 2)} }`);
}
