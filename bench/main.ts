// Runs all measurements, one after the other, each in a process of its own.
import { spawnSync } from 'node:child_process';

for (const file of ['recovery.ts', 'reads.ts']) {
  console.log(`\n${file}`);
  const { status } = spawnSync(process.execPath, ['--import', 'tsx', `bench/${file}`], { stdio: 'inherit' });
  if (status !== 0) process.exitCode = 1;
}
