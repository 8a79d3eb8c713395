// The server as real processes, for tests that kill them. None outlives the test that started it, however that ends.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll } from 'vitest';
import type { ProcessRole } from '../src/main.ts';
import type { World } from './harness.ts';
import { masterKey } from './people.ts';

/** Enough for the slowest start on the busiest machine. */
const patienceSeconds = 60;

const root = fileURLToPath(new URL('..', import.meta.url));

/** The code as users run it, compiled once for a test file: with tsx each start would cost twice the processor time. */
let build: string;

beforeAll(async () => {
  build = await mkdtemp(join(tmpdir(), 'reinstate-build-'));
  const tsc = ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json', '--noCheck', '--outDir', build, '--tsBuildInfoFile', join(build, 'tsbuildinfo')];
  await promisify(execFile)(process.execPath, tsc, { cwd: root });
  await copyFile(join(root, 'package.json'), join(build, 'package.json'));
  await symlink(join(root, 'node_modules'), join(build, 'node_modules'), 'junction');
}, 120_000);

afterAll(() => rm(build, { recursive: true, force: true }));

/** Loaded before anything else: a process whose test is gone, even by `kill -9`, follows it. */
export const leash = `data:text/javascript,process.stdin.on('end', () => process.kill(process.pid, 'SIGKILL')).resume().unref()`;

export interface Ending {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** `npm start`, from its start to its end. Use with `await using`. */
export class ServerProcess {
  /** What it has printed so far, by line. */
  readonly out: string[] = [];
  readonly err: string[] = [];
  /** Resolves when it has ended and everything that it printed was read. */
  readonly ended: Promise<Ending>;
  readonly #child: ChildProcess;

  constructor(args: readonly string[], settings: Record<string, string>) {
    const { PATH = '', HOME = '', TMPDIR } = process.env;
    const env = { PATH, HOME, ...(TMPDIR ? { TMPDIR } : {}), NODE_ENV: 'test', NODE_COMPILE_CACHE: join(build, 'cache'), ...settings };
    const child = spawn(process.execPath, ['--import', leash, 'src/main.js', ...args], { cwd: build, env, stdio: 'pipe' });
    this.#child = child;
    createInterface(child.stdout).on('line', (line) => this.out.push(line));
    createInterface(child.stderr).on('line', (line) => this.err.push(line));
    this.ended = once(child, 'close').then(([code, signal]) => ({ code, signal }) as Ending);
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** The first line that it prints, or has printed, that matches. @throws when it ends without one */
  async line(pattern: RegExp): Promise<string> {
    return until(`a line like ${pattern}`, patienceSeconds, () => {
      const found = this.out.find((line) => pattern.test(line));
      if (found === undefined && !this.isRunning)
        throw new Error(`The process ended without a line like ${pattern}: ${[...this.out, ...this.err].join(' | ')}`);
      return found;
    });
  }

  /** The address of its API, once it serves. */
  async url(): Promise<string> {
    return (await this.line(/served at/)).split(' ').at(-1)!;
  }

  /** Sends the signal and waits for the end. */
  async end(signal: NodeJS.Signals): Promise<Ending> {
    this.#child.kill(signal);
    return this.ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end('SIGKILL');
  }
}

/** The settings of a process that works on the world's database and files. */
export function settingsOf(world: World): Record<string, string> {
  const owner = new URL(world.template.url);
  owner.pathname = world.name;
  return {
    DATABASE_URL: owner.href,
    DATABASE_APP_URL: world.app.database.url,
    DATA_DIRECTORY: world.app.config.DATA_DIRECTORY,
    MASTER_KEY: masterKey.toString('base64'),
    PORT: '0',
    NIGHTLY_SNAPSHOTS: 'false',
  };
}

/** Starts a process on the world's database; it is ready when this resolves. */
export async function startProcess(world: World, role: ProcessRole, settings: Record<string, string> = {}): Promise<ServerProcess> {
  const started = new ServerProcess(['--role', role], { ...settingsOf(world), ...settings });
  try {
    await started.line(/served at|is ready/);
    return started;
  } catch (error) {
    await started.end('SIGKILL');
    throw error;
  }
}

/** Looks until there is something to see. @throws when there is nothing after so many seconds */
export async function until<T>(what: string, seconds: number, look: () => Promise<T | undefined | null | false> | T | undefined | null | false): Promise<T> {
  const deadline = performance.now() + seconds * 1000;
  for (;;) {
    const seen = await look();
    if (seen) return seen;
    if (performance.now() > deadline) throw new Error(`Waited ${seconds} seconds for ${what}.`);
    await wait(25);
  }
}
