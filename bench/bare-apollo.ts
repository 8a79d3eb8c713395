// What reads are measured against: a bare Apollo Server with hand-written SQL and dataloader, on the same tables, without
// sign-in, permissions, tenant transactions, limits or log.
import { ApolloServer } from '@apollo/server';
import { expressMiddleware } from '@as-integrations/express5';
import DataLoader from 'dataloader';
import express from 'express';
import pg from 'pg';

const organizationId = process.env['ORGANIZATION_ID']!;
const pool = new pg.Pool({ connectionString: process.env['DATABASE_URL']!, max: 20 });

const typeDefs = `#graphql
  type Note { id: ID! body: String! authorName: String! createdAt: String! }
  type Plan { name: String! }
  type Membership { id: ID! state: String! startsOn: String! plan: Plan! }
  type Payment { id: ID! amountMinor: String! currency: String! paidAt: String! }
  type Contact {
    id: ID! firstName: String lastName: String email: String memberNumber: String
    notes(first: Int!): [Note!]! memberships(first: Int!): [Membership!]! payments(first: Int!): [Payment!]!
  }
  type Query { contacts(first: Int!, after: ID): [Contact!]! }
`;

type Row = Record<string, unknown> & { contactId: string };
interface Loaders {
  notes: DataLoader<string, Row[]>;
  memberships: DataLoader<string, Row[]>;
  payments: DataLoader<string, Row[]>;
}

/** The newest rows of each contact, in one statement. */
const newest = (name: string, columns: string, table: string, first: number) =>
  new DataLoader<string, Row[]>(async (ids) => {
    const { rows } = await pool.query<Row>({
      name: `${name} ${first}`,
      text: `select k.id as "contactId", t.* from unnest($1::uuid[]) k (id)
        cross join lateral (select ${columns} from ${table} where t.organization_id = $2 and t.contact_id = k.id order by t.id desc limit $3) t`,
      values: [ids, organizationId, first],
    });
    const byContact = Map.groupBy(rows, (row) => row.contactId);
    return ids.map((id) => byContact.get(id) ?? []);
  });

const resolvers = {
  Query: {
    contacts: async (_: unknown, { first, after }: { first: number; after?: string }) => {
      const columns = `id, first_name as "firstName", last_name as "lastName", email, member_number as "memberNumber"`;
      const { rows } = await pool.query({
        name: 'contacts',
        text: `select ${columns} from contact where organization_id = $1 and id > $2 order by id limit $3`,
        values: [organizationId, after ?? '00000000-0000-0000-0000-000000000000', first],
      });
      return rows;
    },
  },
  Contact: {
    notes: ({ id }: { id: string }, _: unknown, { notes }: Loaders) => notes.load(id),
    memberships: ({ id }: { id: string }, _: unknown, { memberships }: Loaders) => memberships.load(id),
    payments: ({ id }: { id: string }, _: unknown, { payments }: Loaders) => payments.load(id),
  },
  Membership: { plan: ({ planName }: { planName: string }) => ({ name: planName }) },
};

const apollo = new ApolloServer<Loaders>({ typeDefs, resolvers });
await apollo.start();
const web = express();
web.use(
  '/graphql',
  express.json(),
  expressMiddleware(apollo, {
    context: async () => ({
      notes: newest('notes', 't.id, t.body, t.author_name as "authorName", t.created_at as "createdAt"', 'note t', 3),
      memberships: newest(
        'memberships',
        't.id, t.state, t.starts_on::text as "startsOn", p.name as "planName"',
        'membership t join membership_plan p on p.organization_id = t.organization_id and p.id = t.plan_id',
        1,
      ),
      payments: newest('payments', 't.id, t.amount_minor as "amountMinor", t.currency, t.paid_at as "paidAt"', 'payment t', 3),
    }),
  }),
);
const server = web.listen(0, '127.0.0.1', () => process.send!({ port: (server.address() as { port: number }).port }));
process.on('disconnect', () => process.exit());
