// Runs all measurements, one after the other, each in a process of its own with the settings of `npm start`, and built like it.
import { spawnSync } from 'node:child_process';
import { script } from './load.ts';

const runs = [
  ['recovery.js'],
  ['reads.js'],
  ['snapshots.js'],
  ['exports.js'],
  ['readers.js'],
  ['imports.js'],
  ['imports.js', '1048575'],
  ['imports.js', '1048575', 'load'],
  ['log.js'],
  ['sign-in.js'],
  ['recovery.js', '500000', 'alone'],
] as const;

for (const [file, ...args] of runs) {
  console.log(`\n${[file, ...args].join(' ')}`);
  const { status } = spawnSync(process.execPath, ['--max-semi-space-size=8', script(file), ...args], { stdio: 'inherit' });
  if (status !== 0) process.exitCode = 1;
}
