// Verifies an organization's log in a process of its own, which has nothing else in its memory. Started by log.ts.
import type { App } from '../src/domain/app.ts';
import { Database } from '../src/database.ts';
import { deriveKeys } from '../src/keys.ts';
import { verifyLog } from '../src/log/verifying.ts';
import { seconds } from './bench.ts';

const [url, organizationId, masterKey] = process.argv.slice(2) as [string, string, string];
const database = await Database.open(url, 1);
const app = { keys: deriveKeys(Buffer.from(masterKey, 'base64')), checkpoints: null } as unknown as App;
const before = process.resourceUsage().maxRSS;
let total = 0;
const verifying = await seconds(async () => {
  const { fault, head } = await database.transact(organizationId, (tx) => verifyLog(tx, app, null), { readOnly: true });
  if (fault) throw new Error(fault.message);
  total = head!.total;
});
const [most, own] = [process.resourceUsage().maxRSS, process.resourceUsage().maxRSS - before].map((kilobytes) => Math.round(kilobytes / 1000));
await database.close();
process.send!(`verified: ${total} entries in ${verifying.toFixed(1)} s; memory of the process: at most ${most} MB, of which ${own} for this`);
