// Loads graphql-shield. Its module build imports util.isUndefined, which Node 23 removed, and its CommonJS build still
// calls it; so the CommonJS copy is taken, after the function has been put back.
import { createRequire } from 'node:module';
import util from 'node:util';
import type * as Shield from 'graphql-shield';

(util as { isUndefined?: (value: unknown) => boolean }).isUndefined ??= (value) => value === undefined;

const { allow, chain, deny, rule, shield } = createRequire(import.meta.url)('graphql-shield') as typeof Shield;

export { allow, chain, deny, rule, shield };

/** A rule, or several that are combined. */
export type Rule = Parameters<typeof chain>[number];
