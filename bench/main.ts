// Runs all measurements, one after the other, each in a process of its own with the settings of `npm start`.
import { spawnSync } from 'node:child_process';

const runs = [
  ['recovery.ts'],
  ['reads.ts'],
  ['snapshots.ts'],
  ['exports.ts'],
  ['readers.ts'],
  ['imports.ts'],
  ['imports.ts', '1048575'],
  ['imports.ts', '1048575', 'load'],
  ['log.ts'],
  ['sign-in.ts'],
  ['recovery.ts', '500000', 'alone'],
] as const;

for (const [file, ...args] of runs) {
  console.log(`\n${[file, ...args].join(' ')}`);
  const { status } = spawnSync(process.execPath, ['--max-semi-space-size=8', '--import', 'tsx', `bench/${file}`, ...args], { stdio: 'inherit' });
  if (status !== 0) process.exitCode = 1;
}
