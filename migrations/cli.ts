// `npm run migrate`: applies the migrations to DATABASE_URL. `-- check`: proves that they make exactly what the entities
// say. `-- create NAME`: writes the migration that is missing. The last two work on an embedded database of their own.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readConfig } from '../src/config.ts';
import { startEmbedded } from '../src/embedded.ts';
import { StartupError } from '../src/errors.ts';
import { deriveKeys } from '../src/keys.ts';
import { migrate, ownerOrm } from '../src/migrate.ts';

const [command = 'up', title = ''] = process.argv.slice(2);

async function up(): Promise<void> {
  const config = readConfig();
  if (!config.DATABASE_URL) throw new StartupError('DATABASE_URL is not set. The embedded database is migrated when the server starts.');
  const { database: secret } = deriveKeys(Buffer.from(config.MASTER_KEY!, 'base64'));
  await migrate({ url: config.DATABASE_URL, appUrl: config.DATABASE_APP_URL, secret });
  console.log('The database has the schema of this code.');
}

/** What the entities ask for and the migrations do not make, as SQL. */
async function missing(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'reinstate-migrate-'));
  const embedded = await startEmbedded({ directory, settings: { fsync: 'off' } });
  try {
    await migrate({ url: embedded.url, secret: Buffer.alloc(32) });
    const orm = await ownerOrm(embedded.url);
    const sql = await orm.schema.getUpdateSchemaSQL({ wrap: false });
    await orm.close();
    return sql.trim();
  } finally {
    await embedded.stop({ remove: true });
    await rm(directory, { recursive: true, force: true });
  }
}

async function create(): Promise<void> {
  if (!/^[a-z][a-z-]*$/.test(title))
    throw new StartupError('Say what the migration is for, in lower-case words with dashes: npm run migrate -- create add-phone-types');
  const sql = await missing();
  if (!sql) throw new StartupError('There is nothing to migrate: the migrations make exactly what the entities say.');
  const name = `Migration${new Date().toISOString().replace(/\D/g, '').slice(0, 14)}`;
  const body = sql
    .split('\n')
    .map((line) => (line ? `      ${line}` : ''))
    .join('\n');
  const text = `// ${title.replaceAll('-', ' ')}\nimport { Migration } from '@mikro-orm/migrations';\n\nexport class ${name} extends Migration {\n  override name = '${name}';\n\n  override up(): void {\n    this.addSql(\`\n${body}\n    \`);\n  }\n}\n`;
  await writeFile(join('migrations', `${name}.ts`), text, { flag: 'wx' });
  console.log(`Wrote migrations/${name}.ts. Read it, and add it to the list in src/migrate.ts.`);
}

async function check(): Promise<void> {
  const sql = await missing();
  if (sql) throw new StartupError(`The migrations do not make what the entities say. Missing:\n${sql}`);
  console.log('The migrations make exactly what the entities say.');
}

const commands: Record<string, () => Promise<void>> = { up, create, check };

(commands[command] ?? (() => Promise.reject(new StartupError('Say npm run migrate, or with -- check or -- create NAME.'))))().catch((error: unknown) => {
  console.error(error instanceof StartupError ? error.message : error);
  process.exitCode = 1;
});
