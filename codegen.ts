// Writes the contract and what follows from it: src/api.ts -> schema.graphql -> sdk/generated.ts. The same every time.
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { generate, type CodegenConfig } from '@graphql-codegen/cli';
import { lexicographicSortSchema, printSchema } from 'graphql';
import { buildApi } from './src/api.ts';

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));

await writeFile(at('schema.graphql'), `${printSchema(lexicographicSortSchema(buildApi()))}\n`);

const config: CodegenConfig = {
  schema: at('schema.graphql'),
  documents: at('sdk/operations/*.graphql'),
  silent: true,
  generates: {
    [at('sdk/generated.ts')]: {
      plugins: ['typescript-operations', 'typed-document-node'],
      config: {
        useTypeImports: true,
        enumsAsTypes: true,
        strictScalars: true,
        skipTypename: true,
        scalars: { DateTime: 'string', Date: 'string', MinorUnits: 'number' },
      },
    },
  },
};
const header = '// Made by codegen.ts from schema.graphql and sdk/operations. Change those, then run it again.\n';
for (const { filename, content } of (await generate(config, false)) as { filename: string; content: string }[]) await writeFile(filename, header + content);
