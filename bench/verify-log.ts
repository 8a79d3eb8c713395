// Verifies an organization's log in a process of its own, which has nothing else in its memory. Started by log.ts.
import type { App } from '../src/domain/app.ts';
import { Database } from '../src/database.ts';
import { deriveKeys } from '../src/keys.ts';
import { verifyLog } from '../src/log/verifying.ts';
import { seconds } from './bench.ts';

const [url, organizationId, masterKey] = process.argv.slice(2) as [string, string, string];
const database = await Database.open(url, 1);
const app = { keys: deriveKeys(Buffer.from(masterKey, 'base64')), checkpoints: null } as unknown as App;
let [total, live] = [0, 0];
// What is used right after a collection is what is needed; the rest of the process's memory is garbage that V8 has not looked at yet.
const watch = setInterval(() => {
  globalThis.gc!();
  const { heapUsed, external } = process.memoryUsage();
  live = Math.max(live, heapUsed + external);
}, 500);
const verifying = await seconds(async () => {
  const { fault, head } = await database.transact(organizationId, (tx) => verifyLog(tx, app, null), { readOnly: true });
  if (fault) throw new Error(fault.message);
  total = head!.total;
});
clearInterval(watch);
await database.close();
const [needed, most] = [live / 1e6, process.resourceUsage().maxRSS / 1e3].map(Math.round);
process.send!(`verified: ${total} entries in ${verifying.toFixed(1)} s; memory in use: at most ${needed} MB, of the process: at most ${most} MB`);
