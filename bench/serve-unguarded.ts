// The server under measurement without what guards it, as a process of its own: the same schema without its rules, on a database
// role that row-level security does not hold, and nothing counts what operations cost.
import { buildUnguarded } from '../src/api.ts';
import { readConfig } from '../src/config.ts';
import { Database } from '../src/database.ts';
import { manualPayments } from '../src/domain/payments.ts';
import { deriveKeys } from '../src/keys.ts';
import { measureCost, refuseCostly } from '../src/limits.ts';
import { Operation } from '../src/operation.ts';
import { PubSub } from '../src/pubsub.ts';
import { startServer } from '../src/server.ts';
import { openFiles, openStore } from '../src/snapshots/stores/open.ts';

Operation.prototype.admit = async (asked) => refuseCostly(measureCost(asked));
const config = readConfig();
const url = config.DATABASE_URL!;
const database = await Database.open(url, config.POOL_SIZE);
const pubsub = new PubSub(url);
await pubsub.open();
const keys = deriveKeys(Buffer.from(config.MASTER_KEY!, 'base64'));
const app = { config, database, keys, store: await openStore(config), files: await openFiles(config), checkpoints: null, payments: manualPayments };
const server = await startServer({ app, pubsub, schema: buildUnguarded(), host: config.HOST, port: config.PORT });
process.send!({ port: server.port });
process.on('disconnect', () => process.exit());
