// Measures whether the time of a refused sign-in tells that there is such an account: over HTTP, with a wrong password for an
// account that is there and for one that is not, in turns in one run; medians and the middle half, and whether the answers differ.
import { PubSub } from '../src/pubsub.ts';
import { startServer } from '../src/server.ts';
import { openBench } from './bench.ts';

const attempts = Number(process.argv[2] ?? 500);

await using bench = await openBench();
const { email } = bench;
// So that each attempt is looked at.
const app = { ...bench.app, config: { ...bench.app.config, ATTEMPTS_PER_ACCOUNT: 1_000_000, ATTEMPTS_PER_ADDRESS: 1_000_000 } };
const pubsub = new PubSub(app.database.url);
await pubsub.open();
const server = await startServer({ app, pubsub, host: '127.0.0.1', port: 0 });
const people = { existing: email, unknown: 'nobody@bench.example' };
const times: Record<string, number[]> = { existing: [], unknown: [] };
const answers: Record<string, Set<string>> = { existing: new Set(), unknown: new Set() };
for (let attempt = -10; attempt < attempts; attempt++)
  for (const [who, address] of attempt % 2 ? Object.entries(people) : Object.entries(people).toReversed()) {
    const start = performance.now();
    const body = {
      query: 'mutation ($input: SignInInput!) { signIn(input: $input) { accessToken challenge userErrors { code message path } } }',
      variables: { input: { email: address, password: 'wrong' } },
    };
    const response = await fetch(server.url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
    const { data } = (await response.json()) as { data: unknown };
    if (attempt < 0) continue;
    times[who]!.push(performance.now() - start);
    answers[who]!.add(JSON.stringify(data));
  }
const quantile = (values: number[], part: number) => values.toSorted((a, b) => a - b)[Math.floor(values.length * part)]!;
for (const [who, all] of Object.entries(times))
  console.log(
    `sign-in, ${who} account: median ${quantile(all, 0.5).toFixed(2)} ms, middle half ${quantile(all, 0.25).toFixed(2)} to ${quantile(all, 0.75).toFixed(2)} ms, ${all.length} times`,
  );
const ratio = quantile(times['existing']!, 0.5) / quantile(times['unknown']!, 0.5);
const same = new Set([...answers['existing']!, ...answers['unknown']!]).size === 1;
console.log(`sign-in: existing to unknown ${ratio.toFixed(3)}, answers ${same ? 'the same' : 'DIFFERENT'}`);
await server.close();
await pubsub.close();
