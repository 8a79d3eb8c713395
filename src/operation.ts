// One operation from its request to its end, the same over HTTP and WebSocket: whatever happens, its connection is given
// back, and what it was refused is in the action log before it is answered.
import { v7 as newId } from 'uuid';
import type { IncomingMessage } from 'node:http';
import { execute, type ExecutionArgs, type ExecutionResult, type FormattedExecutionResult, type GraphQLError } from 'graphql';
import { present } from './api.ts';
import { Context, type RequestInfo } from './context.ts';
import type { Transaction } from './database.ts';
import { touchApiKey } from './domain/api-keys.ts';
import { readAccessToken } from './domain/sessions.ts';
import type { AccessClaims, App } from './domain/app.ts';
import { Unauthenticated } from './errors.ts';
import { writeRefusals } from './permissions/refusals.ts';

export class Operation extends Context {
  #over = false;

  /** A field whose neighbour has failed runs on after the answer: it gets no connection that nobody would give back. */
  override reading(): Promise<Transaction> {
    return this.#over ? Promise.reject(new Error('The operation is over.')) : super.reading();
  }

  /** Ends the reads and writes what was refused so far; an open subscription goes on. */
  async settle(): Promise<void> {
    await this.finish();
    await writeRefusals(this);
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
      result = await execute({ ...args, contextValue: this });
    } catch (error) {
      result = { errors: [error as GraphQLError] };
    }
    await this.close().catch((error: GraphQLError) => {
      result = { errors: [error] };
    });
    const { errors, ...rest } = this.tellHidden(result);
    return errors ? { ...rest, errors: errors.map((error) => present(error, this.request.id)) } : rest;
  }
}

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
export function requestInfo(request: IncomingMessage): RequestInfo {
  return { id: newId(), address: request.socket.remoteAddress ?? null, agent: request.headers['user-agent']?.slice(0, 300) ?? null };
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
