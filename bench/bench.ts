// What every measurement stands on: a database of its own, removed afterwards, and an organization in it.
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { readConfig } from '../src/config.ts';
import { Database } from '../src/database.ts';
import type { App, Viewer } from '../src/domain/app.ts';
import { createOrganization } from '../src/domain/organizations.ts';
import { manualPayments } from '../src/domain/payments.ts';
import { hashPassword } from '../src/domain/accounts.ts';
import { readAccessToken, staffFrom, staffOpening } from '../src/domain/sessions.ts';
import { signIn } from '../src/domain/signing-in.ts';
import { startEmbedded } from '../src/embedded.ts';
import { deriveKeys } from '../src/keys.ts';
import { migrate } from '../src/migrate.ts';
import { openFiles, openStore } from '../src/snapshots/stores/open.ts';

export interface Bench extends AsyncDisposable {
  app: App;
  /** The tables' owner, who is a superuser: nothing slows it down. */
  owner: pg.Client;
  organizationId: string;
  ownerUrl: string;
  /** Base64. */
  masterKey: string;
  /** A Super admin. */
  email: string;
  password: string;
}

/** How long `work` takes. */
export async function seconds(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}

/** Room enough that neither side is measured by when a checkpoint happens to fall. */
export const serverSettings = { shared_buffers: '1GB', max_wal_size: '8GB', checkpoint_timeout: '30min' };

/** On an embedded server of its own, or on an empty database at `url`, of which its superuser is the owner. */
export async function openBench(url?: string): Promise<Bench> {
  // Whatever was started ends when the rest can't be.
  await using started = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), 'reinstate-bench-'));
  started.defer(() => rm(directory, { recursive: true, force: true }));
  const embedded = url ? undefined : await startEmbedded({ directory, settings: serverSettings });
  started.defer(() => embedded?.stop({ remove: true }));
  const ownerUrl = url ?? embedded!.url;
  const masterKey = randomBytes(32);
  const keys = deriveKeys(masterKey);
  const appUrl = await migrate({ url: ownerUrl, secret: keys.database });
  const owner = new pg.Client({ connectionString: ownerUrl });
  await owner.connect();
  started.defer(() => owner.end());
  const [email, password] = ['super.admin@bench.example', 'bench-password'];
  const staff = [{ name: 'Super admin', email, passwordHash: await hashPassword(password), roles: ['Super admin'] }];
  const { id: organizationId } = await createOrganization(owner, { name: 'Bench', plan: 'PREMIUM', currency: 'USD', staff });
  const config = readConfig({ CHUNK_CONTACTS: process.env['CHUNK_CONTACTS'], DATA_DIRECTORY: directory });
  const database = await Database.open(appUrl, 20);
  started.defer(() => database.close());
  const [store, files] = [await openStore(config), await openFiles(config)];
  const all = started.move();
  return {
    app: {
      config,
      database,
      keys,
      store,
      files,
      checkpoints: null,
      payments: manualPayments,
    },
    owner,
    organizationId,
    ownerUrl,
    masterKey: masterKey.toString('base64'),
    email,
    password,
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

/** Signs the Super admin in, as anyone would. */
export async function readViewer({ app, organizationId, email, password }: Bench): Promise<Viewer> {
  const request = { id: 'bench', address: null, agent: null };
  const { tokens } = await signIn(app, request, email, password);
  const claims = (await readAccessToken(app, tokens!.accessToken))!;
  const tx = await app.database.begin(organizationId, { opening: staffOpening(claims) });
  await app.database.end(tx, 'COMMIT');
  return staffFrom(tx.opened, claims, request);
}
