// Importing in tests, as any client would: the file over HTTP, the rest over GraphQL, and the jobs to their end.
import type { Client } from '../sdk/client.ts';
import {
  ApplyImportDocument,
  ChangeImportDocument,
  type ChangeImportInput,
  DiscardImportDocument,
  ImportDocument,
  type ImportPartsFragment,
  ImportRowsDocument,
  type ImportRowsQuery,
  StartImportDocument,
  type StartImportInput,
  UndoImportDocument,
  type ContactInput,
  CreateContactsDocument,
  VerifyActionLogDocument,
} from '../sdk/generated.ts';
import { sealEntries } from '../src/log/sealing.ts';
import { contactGraph } from '../src/snapshots/graph.ts';
import { quoted } from '../src/sql.ts';
import { expect } from 'vitest';
import { runJobs } from './graphs.ts';
import type { World } from './harness.ts';
import { announce, put } from './uploading.ts';

export type Row = ImportRowsQuery['import']['rows']['nodes'][number];

/** Uploads a file. @returns the upload's id */
export async function upload(world: World, client: Client, content: string | Buffer, fileName = 'members.csv'): Promise<string> {
  const { id, path } = await announce(client, { fileName });
  const { status, text } = await put(world, path, content);
  if (status !== 200) throw new Error(text);
  return id;
}

/** Throws what was refused, with its code. */
export function done(payload: { import: ImportPartsFragment | null; userErrors: { code: string; message: string }[] }): ImportPartsFragment {
  if (!payload.import) throw new Error(payload.userErrors.map(({ code, message }) => `${code} ${message}`).join(' '));
  return payload.import;
}

/** The code of the refusal; what was done otherwise. */
export async function codeOf(asked: Promise<ImportPartsFragment>): Promise<string> {
  return asked.then(
    ({ state }) => state,
    (error: Error & { code?: string }) => error.code ?? error.message.split(' ')[0]!,
  );
}

/** What somebody does with imports, each with its job. */
export class Importer {
  constructor(
    readonly world: World,
    readonly client: Client,
  ) {}

  /** Begins an import, without its job. */
  async begin(content: string | Buffer, choices: Omit<StartImportInput, 'uploadId'> = {}, fileName?: string): Promise<ImportPartsFragment> {
    const uploadId = await upload(this.world, this.client, content, fileName);
    return done((await this.client.request(StartImportDocument, { input: { uploadId, ...choices } })).startImport);
  }

  /** The dry run of a file. */
  async check(content: string | Buffer, choices: Omit<StartImportInput, 'uploadId'> = {}, fileName?: string): Promise<ImportPartsFragment> {
    const { id } = await this.begin(content, choices, fileName);
    await runJobs(this.world);
    return this.read(id);
  }

  async change(id: string, choices: Omit<ChangeImportInput, 'id'>): Promise<ImportPartsFragment> {
    done((await this.client.request(ChangeImportDocument, { input: { id, ...choices } })).changeImport);
    await runJobs(this.world);
    return this.read(id);
  }

  /** Orders it, without its job. */
  async order(id: string): Promise<ImportPartsFragment> {
    return done((await this.client.request(ApplyImportDocument, { input: { id } })).applyImport);
  }

  async apply(id: string): Promise<ImportPartsFragment> {
    await this.order(id);
    await runJobs(this.world);
    return this.read(id);
  }

  /** Orders it, without its job. */
  async orderUndo(id: string): Promise<ImportPartsFragment> {
    return done((await this.client.request(UndoImportDocument, { input: { id } })).undoImport);
  }

  async undo(id: string): Promise<ImportPartsFragment> {
    await this.orderUndo(id);
    await runJobs(this.world);
    return this.read(id);
  }

  async discard(id: string): Promise<ImportPartsFragment> {
    return done((await this.client.request(DiscardImportDocument, { input: { id } })).discardImport);
  }

  async read(id: string): Promise<ImportPartsFragment> {
    return (await this.client.request(ImportDocument, { id })).import;
  }

  async rows(id: string): Promise<Row[]> {
    return (await this.client.request(ImportRowsDocument, { id, first: 100 })).import.rows.nodes;
  }

  /** Each row with its outcome and its reasons, as "2 CREATED", "3 SKIPPED DUPLICATE by EMAIL", "4 REFUSED INVALID_EMAIL". */
  async outcomes(id: string): Promise<string[]> {
    return (await this.rows(id)).map(({ rowNumber, outcome, reasons, matchedBy }) =>
      [rowNumber, outcome, ...reasons.map(({ code }) => code), ...(matchedBy ? [`by ${matchedBy}`] : [])].join(' '),
    );
  }
}

/** Whoever holds the role at Riverside Club. */
export const importerAs = async (world: World, role: Parameters<World['as']>[0] = 'Admin'): Promise<Importer> => new Importer(world, await world.as(role));

/** The counts of a dry run or an import as "created updated skipped refused". */
export const shortCounts = ({ counts }: ImportPartsFragment): string =>
  `${counts.createdCount} ${counts.updatedCount} ${counts.skippedCount} ${counts.refusedCount}`;

/** Lines as a CSV. */
export const csv = (...lines: string[]): string => `${lines.join('\n')}\n`;

export const phoneOf = (value: string) => [{ kind: 'PHONE' as const, value }];

/** Makes contacts through the API. @returns their ids by first name */
export async function make(client: Client, ...contacts: ContactInput[]): Promise<Record<string, string>> {
  const { createContacts } = await client.request(CreateContactsDocument, { input: { contacts } });
  return Object.fromEntries(
    createContacts.results.map(({ contactId: id, userErrors }, index) => {
      expect(userErrors).toEqual([]);
      return [contacts[index]!.firstName ?? '', id!];
    }),
  );
}

/** Every contact of Riverside Club with all that it owns, without what only tells that something was done with it. */
export async function state(world: World): Promise<string[]> {
  const lines: string[] = [];
  const graph = contactGraph(world.app.database.orm);
  for (const table of [...graph.tables.map(({ name }) => name), ...graph.rebuilt].filter((name) => name !== 'action_detail')) {
    const { rows } = await world.owner.query<{ line: string }>(
      `select (to_jsonb(t) - 'updated_at' - 'version')::text as line from ${quoted(table)} t where organization_id = $1 order by 1`,
      [world.organizationId()],
    );
    lines.push(...rows.map(({ line }) => `${table} ${line}`));
  }
  const { rows } = await world.owner.query<{ line: string }>(`select 'tag ' || name as line from tag where organization_id = $1 order by 1`, [
    world.organizationId(),
  ]);
  return [...lines, ...rows.map(({ line }) => line)];
}

export const count = async (world: World, table: string, where = 'true'): Promise<number> =>
  (await world.owner.query<{ n: number }>(`select count(*)::int as n from ${table} where ${where}`)).rows[0]!.n;

/** What the log has of contacts, by action: how many entries, and of how many contacts. */
export async function logged(world: World): Promise<Record<string, string>> {
  const { rows } = await world.owner.query<{ action: string; told: string }>(
    `select action, count(*) || ' of ' || count(distinct target_id) as told from action_log where organization_id = $1 and target_kind = 'Contact' group by 1`,
    [world.organizationId()],
  );
  return Object.fromEntries(rows.map(({ action, told }) => [action, told]));
}

export async function expectLogIntact(world: World): Promise<void> {
  await sealEntries(world.app, world.organizationId());
  const { verifyActionLog } = await (await world.as('Super admin')).request(VerifyActionLogDocument, {});
  expect(verifyActionLog).toMatchObject({ intact: true, fault: null });
}
