import 'reflect-metadata';
import { Database, Transaction } from '../src/database.ts';
import { migrate } from '../src/migrate.ts';
import { countContacts, listContacts } from '../src/domain/contacts.ts';
import { notesOf } from '../src/domain/history.ts';
import { paymentsOf } from '../src/domain/ledger.ts';
import { sql, Sql } from '../src/sql.ts';
const app = await migrate({ url: 'postgres://postgres@127.0.0.1:5515/contacts_big', secret: Buffer.alloc(32) });
const database = await Database.open(app, 2);
const org = process.argv[2] ?? '00000000-0000-7000-8000-000000000002';
await database.transact(org, async (tx) => {
  const rows = tx.rows.bind(tx);
  const explain = async (label: string, work: (tx: Transaction) => Promise<unknown>, full = false) => {
    const spy = Object.create(tx, { rows: { value: async (statement: Sql) => {
      // As prepared and generic: the plan that the sixth execution gets.
      const name = `e${Math.random().toString(36).slice(2)}`;
      let text = statement.text;
      await tx.client.query({ text: 'set local plan_cache_mode = force_generic_plan' });
      const types = '';
      await tx.client.query(`prepare ${name}${types ? `(${types})` : ''} as ${text}`);
      const literal = (v: unknown): string => v === null || v === undefined ? 'null' : v instanceof Date ? `'${v.toISOString()}'` : Array.isArray(v) ? `'{${v.map((x) => JSON.stringify(String(x))).join(',')}}'` : `'${String(v).replaceAll("'", "''")}'`;
      let plan: any[] = [];
      for (let i = 0; i < 3; i++) plan = (await tx.client.query(`explain (analyze, buffers, timing off) execute ${name}(${statement.values.map(literal).join(',')})`)).rows;
      const lines = plan.map((r) => r['QUERY PLAN'] as string);
      console.log(`--- ${label}: ${lines.find((l) => l.startsWith('Execution'))} ${lines.find((l) => l.startsWith('  Buffers') || l.includes('Buffers'))?.trim()}`);
      if (full) console.log(lines.slice(0, 40).join('\n'));
      return [{ count: 0 }];
    } }, row: { value: async (s: Sql) => (await spy.rows(s))[0] } });
    await work(spy);
  };
  const at = async (column: string, offset: number) => (await rows<{ place: string; id: string }>(sql`select c.id, ${new Sql([column], [])}::text as place from contact c where c.organization_id = ${org} order by ${new Sql([column], [])} nulls last, c.id offset ${offset} limit 1`))[0]!;
  for (const [field, column] of [['NAME', 'sort_name'], ['EMAIL', 'email_normalized'], ['CREATED_AT', 'id']] as const)
    for (const direction of ['ASC', 'DESC'] as const)
      for (const offset of [0, 50_000, 99_000])
        await explain(`${field} ${direction} after ${offset}`, async (spy) => listContacts(spy, { filter: {} }, { field, direction }, 51, offset ? await at(column, offset) : null), offset === 50_000 && direction === 'ASC');
  await explain('count all', (spy) => countContacts(spy, { filter: {} }), true);
  await explain('count filtered country', (spy) => countContacts(spy, { filter: { country: 'Japan' } }));
  await explain('search common', (spy) => listContacts(spy, { filter: {}, search: 'demir' }, { field: 'NAME', direction: 'ASC' }, 51, null), true);
  await explain('search rare', (spy) => listContacts(spy, { filter: {}, search: 'm012345' }, { field: 'NAME', direction: 'ASC' }, 51, null), true);
  await explain('search rare count', (spy) => countContacts(spy, { filter: {}, search: 'm012345' }));
  await explain('filter email', (spy) => listContacts(spy, { filter: { email: 'rosa.okafor1@example.org' } }, { field: 'NAME', direction: 'ASC' }, 51, null), true);
  await explain('filter member number', (spy) => listContacts(spy, { filter: { memberNumber: 'M012345' } }, { field: 'NAME', direction: 'ASC' }, 51, null));
  await explain('filter owing', (spy) => listContacts(spy, { filter: { balance: 'OWING' } }, { field: 'NAME', direction: 'ASC' }, 51, null), true);
  const ids = (await rows<{ id: string }>(sql`select id from contact where organization_id = ${org} order by sort_name limit 50`)).map((r) => r.id);
  await explain('filter 50 ids', (spy) => listContacts(spy, { filter: { ids } }, { field: 'NAME', direction: 'ASC' }, 51, null));
  const childSpy = async (label: string, read: (tx: Transaction) => Promise<unknown>) => explain(label, async (spy) => { await read(spy).catch(() => undefined); }, true);
  await childSpy('notes', (spy) => notesOf(spy, ids, { limit: 4, before: null }));
  await childSpy('payments', (spy) => paymentsOf(spy, ids, { limit: 4, before: null }));
});
await database.close();
