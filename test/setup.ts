// Once for all test files: a PostgreSQL (given, or our own), and one template database that every world is cloned from.
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hash } from '@node-rs/argon2';
import pg from 'pg';
import type { TestProject } from 'vitest/node';
import { createOperator, createOrganization } from '../src/domain/organizations.ts';
import { startEmbedded } from '../src/embedded.ts';
import { migrate } from '../src/migrate.ts';
import { builtInRoles, platformPermissions } from '../src/permissions/catalogue.ts';
import { quoted } from '../src/sql.ts';
import { emailOf, hilltop, operatorEmail, password, riverside, testKeys } from './people.ts';

export interface Template {
  /** The server, as the role that owns the tables; its database is one to connect to while cloning. */
  url: string;
  /** The template, as the role that the server works with. */
  appUrl: string;
  /** The template's name, which the names of its clones begin with. */
  name: string;
  /** The organizations' ids by name. */
  organizations: Record<string, string>;
}

declare module 'vitest' {
  interface ProvidedContext {
    template: Template;
  }
}

const prefix = 'reinstate_test_';

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const { url, stop } = await findServer();
  const name = prefix + randomBytes(5).toString('hex');
  // Stays open: as long as this session lives, nobody takes the databases of this run for leftovers.
  const owner = await connect(url, name);
  await dropDatabases(owner, await leftovers(owner));
  project.provide('template', await createTemplate(url, name));
  return async () => {
    await dropDatabases(owner, await databasesOf(owner, name));
    await owner.end();
    await stop();
  };
}

/** Makes the database of that name, migrated and settled, on the server. */
export async function createTemplate(url: string, name = prefix + randomBytes(5).toString('hex')): Promise<Template> {
  const owner = await connect(url, name);
  await owner.query(`create database ${quoted(name)}`);
  await owner.end();
  const appUrl = await migrate({ url: at(url, name), secret: testKeys.database });
  return { url, appUrl, name, organizations: await settle(at(url, name)) };
}

async function findServer(): Promise<{ url: string; stop: () => Promise<void> }> {
  const url = process.env['TEST_DATABASE_URL'];
  if (url) return { url, stop: async () => {} };
  const directory = await mkdtemp(join(tmpdir(), 'reinstate-test-'));
  // A test run that loses its power has nothing to lose.
  const server = await startEmbedded({ directory, settings: { fsync: 'off', full_page_writes: 'off', synchronous_commit: 'off' } });
  const stop = async () => {
    await server.stop({ remove: true });
    await rm(directory, { recursive: true, force: true });
  };
  return { url: server.urlOf('postgres'), stop };
}

/** The people of every world: each built-in role in two organizations, and an operator. All have one password. */
async function settle(url: string): Promise<Record<string, string>> {
  // A hash carries its own cost: this one makes signing in a matter of milliseconds.
  const passwordHash = await hash(password, { memoryCost: 1024, timeCost: 1 });
  const owner = await connect(url, 'settle');
  try {
    const organizations: Record<string, string> = {};
    for (const organization of [riverside, hilltop]) {
      const staff = builtInRoles.map((role) => ({
        name: `${role.name} of ${organization.name}`,
        email: emailOf(role.name, organization.name),
        passwordHash,
        roles: [role.name],
      }));
      organizations[organization.name] = (await createOrganization(owner, { ...organization, currency: 'USD', staff })).id;
    }
    await createOperator(owner, { name: 'Operator', email: operatorEmail, passwordHash }, platformPermissions);
    return organizations;
  } finally {
    await owner.end();
  }
}

async function connect(url: string, name: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url, application_name: name });
  await client.connect();
  return client;
}

function at(url: string, database: string): string {
  const address = new URL(url);
  address.pathname = database;
  return address.href;
}

async function databasesOf(owner: pg.Client, name: string): Promise<string[]> {
  const { rows } = await owner.query<{ name: string }>('select datname as name from pg_database where starts_with(datname, $1)', [name]);
  return rows.map((row) => row.name);
}

/** What runs left behind that ended without their teardown. Runs that are still going have their session open. */
async function leftovers(owner: pg.Client): Promise<string[]> {
  const { rows } = await owner.query<{ name: string }>(
    'select distinct application_name as name from pg_stat_activity where starts_with(application_name, $1)',
    [prefix],
  );
  return (await databasesOf(owner, prefix)).filter((database) => !rows.some(({ name }) => database.startsWith(name)));
}

async function dropDatabases(owner: pg.Client, names: readonly string[]): Promise<void> {
  for (const name of names) await owner.query(`drop database if exists ${quoted(name)} with (force)`);
  // A template's role owns objects in its clones too, so it goes last.
  for (const name of names) await dropRoles(owner, name);
}

/** Drops the roles that migrating the database of that name made, once the database and its clones are gone. */
export async function dropRoles(owner: pg.Client, name: string): Promise<void> {
  await owner.query(`drop role if exists ${quoted(`${name}_app`)}`);
  const restorer = `${name}_restorer`;
  const { rows } = await owner.query('select 1 from pg_roles where rolname = $1', [restorer]);
  // What it may set is in a list of the whole server, which others may be changing.
  if (rows.length > 0)
    await owner.query(
      `begin; lock table pg_parameter_acl in share row exclusive mode; drop owned by ${quoted(restorer)}; drop role ${quoted(restorer)}; commit`,
    );
}
