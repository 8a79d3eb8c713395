// Runs all measurements, one after the other, each in a process of its own with the settings of `npm start`, and built like it.
import { spawnSync } from 'node:child_process';
import { script } from './load.ts';

const runs = [
  ['recovery'],
  ['reads'],
  ['snapshots'],
  ['exports'],
  ['readers'],
  ['imports'],
  ['imports', '1048575'],
  ['imports', '1048575', 'load'],
  ['log'],
  ['sign-in'],
  ['recovery', '500000', 'alone'],
] as const;

for (const [name, ...args] of runs) {
  console.log(`\n${[name, ...args].join(' ')}`);
  const { status } = spawnSync(process.execPath, ['--max-semi-space-size=8', script(name), ...args], { stdio: 'inherit' });
  if (status !== 0) process.exitCode = 1;
}
