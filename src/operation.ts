// One operation from its request to its end, the same over HTTP and WebSocket: whatever happens, its connection is given
// back, and what it was refused is in the action log before it is answered.
import { v7 as newId } from 'uuid';
import type { IncomingMessage } from 'node:http';
import { execute, type ExecutionArgs, type ExecutionResult, type FormattedExecutionResult, type GraphQLError } from 'graphql';
import { clientOf } from './addresses.ts';
import { present } from './api.ts';
import type { Config } from './config.ts';
import { Context, type RequestInfo } from './context.ts';
import { type Transaction, withinTime } from './database.ts';
import { touchApiKey } from './domain/api-keys.ts';
import { logKeyRefusal } from './domain/key-refusals.ts';
import type { AccessClaims, App } from './domain/app.ts';
import { chargeCost, type Cost } from './domain/costs.ts';
import { secondsUntil } from './domain/rate-limits.ts';
import { readAccessToken } from './domain/sessions.ts';
import { RateLimited, Unauthenticated } from './errors.ts';
import { type Asked, costliest, measureCost, refuseCostly } from './limits.ts';
import { writeRefusals } from './permissions/refusals.ts';

export class Operation extends Context {
  #over = false;
  /** What it costs, once it was counted. */
  cost: Cost | undefined;

  /**
   * Judges the operation before it runs, and counts what it costs. One that is too costly counts as the least of all.
   * @throws GraphQLError for what it may not be, see limits.ts; RateLimited
   */
  async admit(asked: Asked): Promise<void> {
    const cost = measureCost(asked);
    const { allowed, ...standing } = await chargeCost(this.app, this.claims, this.request, cost > costliest ? 1 : cost);
    this.cost = { requested: Number.isFinite(cost) ? cost : null, ...standing };
    if (!allowed) {
      const seconds = secondsUntil(standing.resetsAt);
      const said = `Everything that you asked for in this minute costs more than the ${standing.limit} that are allowed. Nothing was read or changed.`;
      throw new RateLimited(`${said} Ask again in ${seconds} seconds.`, seconds);
    }
    refuseCostly(cost);
  }

  /** A field whose neighbour has failed runs on after the answer: it gets no connection that nobody would give back. */
  override reading(): Promise<Transaction> {
    return this.#over ? Promise.reject(new Error('The operation is over.')) : super.reading();
  }

  /** Ends the reads and writes what was refused so far; an open subscription goes on. */
  async settle(): Promise<void> {
    await this.finish();
    await writeRefusals(this);
    if (this.refused) await logKeyRefusal(this.app, this.refused);
    this.refused = undefined;
  }

  /** Ends the operation. @throws when a refusal could not be written: then it must not be answered as if it had been */
  async close(): Promise<void> {
    this.#over = true;
    await this.settle();
    if (this.entered) await touchApiKey(this.app, this.entered);
  }

  /** Runs a query or mutation from its first field to its end. Never throws: its errors are those of the answer. */
  async execute(args: Omit<ExecutionArgs, 'contextValue'>): Promise<FormattedExecutionResult> {
    let result: ExecutionResult;
    try {
      result = await inTime(this.app, async () => execute({ ...args, contextValue: this }));
    } catch (error) {
      result = { errors: [error as GraphQLError] };
    }
    await this.close().catch((error: GraphQLError) => {
      result = { errors: [error] };
    });
    const { errors, ...rest } = this.tellHidden(result);
    return errors ? { ...rest, errors: errors.map((error) => present(error, this.request.id, this.app.config)) } : rest;
  }
}

/** Runs a part of an operation, in which no transaction takes longer than operations may. */
export const inTime = <T>({ config }: App, work: () => T): T => withinTime(config.OPERATION_TIMEOUT_SECONDS * 1000, work);

/** What is running, watched or not, so that a server that closes can wait for it. */
export class Running {
  #work = new Set<Promise<unknown>>();

  track<T>(work: Promise<T>): Promise<T> {
    const ended: Promise<unknown> = work.catch(() => undefined).then(() => this.#work.delete(ended));
    this.#work.add(ended);
    return work;
  }

  async ended(): Promise<void> {
    while (this.#work.size > 0) await Promise.all(this.#work);
  }
}

/** Who sent it, and a fresh id for it. */
export function requestInfo(request: IncomingMessage, { TRUSTED_PROXIES }: Config): RequestInfo {
  return { id: newId(), address: clientOf(request, TRUSTED_PROXIES), agent: request.headers['user-agent']?.slice(0, 300) ?? null };
}

/**
 * What an `Authorization` header says; null without one.
 * @throws Unauthenticated when there is one that is not valid: it is never taken for none
 */
export async function readAuthorization(app: App, header: string | undefined): Promise<AccessClaims | null> {
  if (header === undefined) return null;
  const token = /^Bearer +(\S+)$/i.exec(header)?.[1];
  const claims = token ? await readAccessToken(app, token) : null;
  if (!claims) throw new Unauthenticated();
  return claims;
}
