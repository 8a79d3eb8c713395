// How large, how deep and how costly an operation may be, judged before it runs and alike for HTTP and WebSocket.
import {
  getNamedType,
  getNullableType,
  GraphQLError,
  isCompositeType,
  isIntrospectionType,
  isListType,
  Kind,
  Lexer,
  OperationTypeNode,
  Source,
  TokenKind,
  type DocumentNode,
  type FragmentDefinitionNode,
  type GraphQLOutputType,
  type GraphQLSchema,
  type OperationDefinitionNode,
  type SelectionNode,
  type SelectionSetNode,
} from 'graphql';
import { getComplexity, type ComplexityEstimator } from 'graphql-query-complexity';

/** Levels of fields, the root field being the first. Introspection is not counted: graphql bounds it itself. */
const deepest = 13;
/** Of an operation with its fragments in their places, introspection included. */
const mostFields = 1000;
const mostAliases = 50;
/** Each is a transaction of its own. */
const mostMutations = 20;
/**
 * An object costs 1 and any other field a tenth; what is inside a list counts once for each row that it may hold. A field
 * that is much more work than it shows says so itself, in its `complexity`.
 */
export const costliest = 20_000;
/** What a list without `first` is taken to hold. */
const unpaged = 10;
/** Bounds the work of parsing and validating, which grows with the square of a query's size. */
export const mostTokens = 6_000;
/** Brackets of any kind inside brackets. The parser goes one call deeper with each, and its stack has an end. */
const deepestBrackets = 100;

export interface Asked {
  schema: GraphQLSchema;
  document: DocumentNode;
  operation: OperationDefinitionNode;
  variables: Record<string, unknown> | undefined;
}

/** Judges a text before it is parsed. @throws GraphQLError QUERY_TOO_DEEP for one that the parser could not come back from */
export function checkBrackets(text: unknown): void {
  if (typeof text !== 'string' || text.split(/[([{]/).length <= deepestBrackets) return;
  const lexer = new Lexer(new Source(text));
  try {
    for (let depth = 0, tokens = 0; depth <= deepestBrackets; tokens++) {
      const { kind } = lexer.advance();
      // Longer ones are refused by the parser.
      if (kind === TokenKind.EOF || tokens > mostTokens) return;
      if (opening.has(kind)) depth++;
      if (closing.has(kind)) depth--;
    }
  } catch {
    // What is no token is told by the parser.
    return;
  }
  throw refusal('QUERY_TOO_DEEP', `The query has more than ${deepestBrackets} brackets inside each other. Nothing was read or changed. Ask for less at once.`);
}

const opening = new Set<TokenKind>([TokenKind.BRACE_L, TokenKind.BRACKET_L, TokenKind.PAREN_L]);
const closing = new Set<TokenKind>([TokenKind.BRACE_R, TokenKind.BRACKET_R, TokenKind.PAREN_R]);

/**
 * What an operation costs, in whole points; Infinity when that is beyond measuring.
 * @throws GraphQLError QUERY_TOO_DEEP, TOO_MANY_FIELDS, TOO_MANY_ALIASES, and BAD_USER_INPUT when the variables don't fit
 */
export function measureCost(asked: Asked): number {
  const { depth, fields, aliases, roots } = sizeOf(asked.operation.selectionSet, asked.document);
  const refused = (code: string, what: string) => refusal(code, `The operation ${what} are allowed. Nothing was read or changed. Ask for less at once.`);
  if (depth > deepest) throw refused('QUERY_TOO_DEEP', `is ${depth} levels deep, and ${deepest}`);
  if (aliases > mostAliases) throw refused('TOO_MANY_ALIASES', `has ${aliases} aliases, and ${mostAliases}`);
  if (asked.operation.operation === OperationTypeNode.MUTATION && roots > mostMutations)
    throw refused('TOO_MANY_FIELDS', `does ${roots} things, and ${mostMutations}`);
  if (fields > mostFields) throw refused('TOO_MANY_FIELDS', `has ${fields} fields with its fragments in their places, and ${mostFields}`);
  // Tenths of binary fractions add up to a bit more or less than they are.
  return Math.max(1, Math.ceil(Math.round(estimate(asked) * 10) / 10));
}

/** @throws GraphQLError QUERY_TOO_COSTLY */
export function refuseCostly(cost: number): void {
  if (cost > costliest)
    throw refusal(
      'QUERY_TOO_COSTLY',
      `The query could give more than the ${costliest} objects that are allowed. Nothing was read or changed. Ask for smaller pages with \`first\`, or for fewer lists inside lists.`,
    );
}

function estimate({ schema, document, operation, variables }: Asked): number {
  const query = { kind: Kind.DOCUMENT, definitions: [operation, ...fragmentsOf(document)] } as const;
  try {
    return getComplexity({ schema, query, variables: variables ?? {}, estimators: [costOf], maxQueryNodes: costliest });
  } catch (error) {
    // What doesn't fit is found at its place in the query; without one, the estimate itself has become too long.
    if (!(error instanceof GraphQLError)) throw error;
    if (!error.nodes) return Infinity;
    throw refusal('BAD_USER_INPUT', error.message, error);
  }
}

const refusal = (code: string, message: string, originalError?: GraphQLError) =>
  new GraphQLError(message, { originalError, nodes: originalError?.nodes, extensions: { code, http: { status: 400 } } });

function fragmentsOf(document: DocumentNode): FragmentDefinitionNode[] {
  return document.definitions.filter((definition) => definition.kind === Kind.FRAGMENT_DEFINITION);
}

interface Size {
  depth: number;
  fields: number;
  aliases: number;
  /** Fields that are no field's field. */
  roots: number;
}

const nothing: Size = { depth: 0, fields: 0, aliases: 0, roots: 0 };

/** Each fragment is measured once: spreads of spreads could otherwise keep the measuring itself busy for hours. */
function sizeOf(root: SelectionSetNode, document: DocumentNode): Size {
  const fragments = new Map(fragmentsOf(document).map((fragment) => [fragment.name.value, fragment.selectionSet]));
  const known = new Map<string, Size>();
  const measure = (set: SelectionSetNode | undefined): Size =>
    (set?.selections ?? []).map(measureOne).reduce(
      (sum, { depth, fields, aliases, roots }) => ({
        depth: Math.max(sum.depth, depth),
        fields: sum.fields + fields,
        aliases: sum.aliases + aliases,
        roots: sum.roots + roots,
      }),
      nothing,
    );
  const measureOne = (node: SelectionNode): Size => {
    if (node.kind === Kind.INLINE_FRAGMENT) return measure(node.selectionSet);
    if (node.kind === Kind.FIELD) {
      const inside = measure(node.selectionSet);
      const depth = node.name.value.startsWith('__') ? 1 : 1 + inside.depth;
      return { depth, fields: 1 + inside.fields, aliases: (node.alias ? 1 : 0) + inside.aliases, roots: 1 };
    }
    const name = node.name.value;
    if (!known.has(name)) known.set(name, measure(fragments.get(name)));
    return known.get(name)!;
  };
  return measure(root);
}

const costOf: ComplexityEstimator = ({ type, field, args, childComplexity }) => {
  const named = getNamedType(field.type);
  if (isIntrospectionType(type) || isIntrospectionType(named)) return 0;
  if (!isCompositeType(named)) return 0.1;
  const work = field.extensions['complexity'];
  if (typeof work === 'number') return work + childComplexity;
  const first: unknown = args['first'];
  if (typeof first === 'number') return 1 + Math.max(first, 1) * childComplexity;
  // A connection's own lists were counted with its `first`.
  const rows = isList(field.type) && !type.name.endsWith('Connection') ? unpaged : 1;
  return rows * (1 + childComplexity);
};

const isList = (type: GraphQLOutputType): boolean => isListType(getNullableType(type));
