// A request becomes a context: who is asking, and the one transaction that its reads share. The same for HTTP and WebSocket.
import DataLoader from 'dataloader';
import type { PubSub } from './pubsub.ts';
import type { Transaction } from './database.ts';
import type { AccessClaims, App, From, Viewer } from './domain/app.ts';
import { KeyRefused } from './domain/key-refusals.ts';
import { openingOf, readOperator, viewerFrom } from './domain/sessions.ts';
import { Unauthenticated } from './errors.ts';
import { allFieldGroups, type FieldGroup, fieldGroups } from './permissions/field-groups.ts';

export type RequestInfo = From;

/** What an answer leaves out because the viewer's roles hide it. */
export interface HiddenPart {
  /** The names in the answer that lead to it, without the places in lists. */
  path: string[];
  group: FieldGroup;
  reason: string;
}

/** The most parts that one answer names. */
const mostHidden = 100;
const everything: ReadonlySet<FieldGroup> = new Set(allFieldGroups);

export class Context {
  #viewer: Promise<Viewer> | undefined;
  /** Whoever was let in, once that was asked. */
  protected entered: Viewer | undefined;
  /** An API key that was not let in. */
  protected refused: KeyRefused | undefined;
  #reading: Promise<Transaction> | undefined;
  #hidden = new Map<string, HiddenPart>();
  #loaders = new Map<string, DataLoader<never, unknown>>();

  constructor(
    readonly app: App,
    readonly pubsub: PubSub,
    readonly request: RequestInfo,
    /** What a valid access token says; null without one. */
    readonly claims: AccessClaims | null,
  ) {}

  /**
   * The viewer with the permissions that it has now.
   * @throws Unauthenticated without a valid token, or when the account is gone or suspended
   */
  viewer(): Promise<Viewer> {
    const { claims } = this;
    if (!claims) return Promise.reject(new Unauthenticated());
    const enter = async () => {
      const { organizationId } = claims;
      const viewer = organizationId ? viewerFrom((await this.reading()).opened, claims, this.request) : await readOperator(this.app, claims, this.request);
      return (this.entered = viewer);
    };
    return (this.#viewer ??= enter().catch((error: unknown) => {
      if (error instanceof KeyRefused) this.refused = error;
      throw error;
    }));
  }

  /** What of contacts the viewer does not see; everything, until it is known who asks. */
  get hidden(): ReadonlySet<FieldGroup> {
    return this.entered?.hidden ?? everything;
  }

  /** Notes that the answer leaves something out. */
  leaveOut(group: FieldGroup, path: string[]): void {
    const reason = `Your roles hide it (${fieldGroups[group][0]}). Ask an administrator of your organization for a role that shows it.`;
    if (this.#hidden.size < mostHidden) this.#hidden.set(`${path.join('.')} ${group}`, { path, group, reason });
  }

  /** The result with what it leaves out in its `extensions`; the next one begins anew. */
  tellHidden<Result extends { extensions?: object }>(result: Result): Result {
    const hidden = [...this.#hidden.values()];
    this.#hidden.clear();
    return hidden.length > 0 ? { ...result, extensions: { ...result.extensions, hidden } } : result;
  }

  /** The read-only transaction that everything this operation reads shares. Staff only: operators have no organization. */
  reading(): Promise<Transaction> {
    const { claims } = this;
    if (!claims?.organizationId) return Promise.reject(new Unauthenticated());
    return (this.#reading ??= this.app.database.begin(claims.organizationId, { readOnly: true, opening: openingOf(claims) }));
  }

  /** Ends the reads so that `work` may write; what is read afterwards is read anew. An operation holds one connection at most. */
  async write<T>(work: (app: App, viewer: Viewer) => Promise<T>): Promise<T> {
    const viewer = await this.viewer();
    await this.finish();
    return work(this.app, viewer);
  }

  /** A loader that batches the keys asked for in one tick into one statement, and answers each key once. */
  loader<Key, Value>(name: string, batch: (tx: Transaction, keys: readonly Key[]) => Promise<readonly Value[]>): DataLoader<Key, Value> {
    let loader = this.#loaders.get(name) as DataLoader<Key, Value> | undefined;
    if (!loader) {
      loader = new DataLoader(async (keys) => batch(await this.reading(), keys));
      this.#loaders.set(name, loader as unknown as DataLoader<never, unknown>);
    }
    return loader;
  }

  /** Ends the reads. Called when the operation is answered, and before each write. */
  async finish(): Promise<void> {
    const reading = this.#reading;
    this.#reading = undefined;
    this.#viewer = undefined;
    this.#loaders.clear();
    if (reading)
      await reading.then(
        (tx) => this.app.database.end(tx, 'COMMIT'),
        () => undefined,
      );
  }
}
