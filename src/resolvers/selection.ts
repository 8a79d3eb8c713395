// Which fields of its rows a list was asked for, so that only their columns are read.
import { type FieldNode, type GraphQLResolveInfo, Kind, type SelectionSetNode } from 'graphql';

type Selecting = Pick<GraphQLResolveInfo, 'fieldNodes' | 'fragments'>;

/** By what graphql keeps for all fields of an operation that share a place in its document. */
const known = new WeakMap<readonly FieldNode[], ReadonlySet<string>>();

/** The names of the fields that are asked of a connection's nodes; one that a directive leaves out may be among them. */
export function selectedFields({ fieldNodes, fragments }: Selecting): ReadonlySet<string> {
  let names = known.get(fieldNodes);
  if (!names) {
    const inConnection = fieldsIn(fieldNodes, fragments);
    const inEdges = fieldsIn(called('edges', inConnection), fragments);
    const nodes = [...called('nodes', inConnection), ...called('node', inEdges)];
    known.set(fieldNodes, (names = new Set(fieldsIn(nodes, fragments).map((node) => node.name.value))));
  }
  return names;
}

const called = (name: string, nodes: readonly FieldNode[]): FieldNode[] => nodes.filter((node) => node.name.value === name);

/** The fields right inside of these, through fragments, each of which is looked into once. */
function fieldsIn(nodes: readonly FieldNode[], fragments: Selecting['fragments']): FieldNode[] {
  const seen = new Set<string>();
  const inside = (set: SelectionSetNode | undefined): FieldNode[] =>
    (set?.selections ?? []).flatMap((node) => {
      if (node.kind === Kind.FIELD) return [node];
      if (node.kind === Kind.INLINE_FRAGMENT) return inside(node.selectionSet);
      if (seen.has(node.name.value)) return [];
      seen.add(node.name.value);
      return inside(fragments[node.name.value]?.selectionSet);
    });
  return nodes.flatMap((node) => inside(node.selectionSet));
}
