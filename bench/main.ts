// Runs all measurements, one after the other, each in a process of its own.
import { spawnSync } from 'node:child_process';

const runs = [['recovery.ts'], ['reads.ts'], ['snapshots.ts'], ['recovery.ts', '500000', 'alone']] as const;

for (const [file, ...args] of runs) {
  console.log(`\n${[file, ...args].join(' ')}`);
  const { status } = spawnSync(process.execPath, ['--import', 'tsx', `bench/${file}`, ...args], { stdio: 'inherit' });
  if (status !== 0) process.exitCode = 1;
}
