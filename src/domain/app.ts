// The parts that one running process shares, and who is acting in it.
import type { Config } from '../config.ts';
import type { Database } from '../database.ts';
import type { Plan } from '../entities/organization.ts';
import type { Permission } from '../permissions/catalogue.ts';
import type { FieldGroup } from '../permissions/field-groups.ts';
import type { Keys } from '../keys.ts';
import type { Scope } from '../scope.ts';
import type { SnapshotStore } from '../snapshots/store.ts';
import type { FileStore } from '../snapshots/stores/bodies.ts';
import type { OutsideStore } from '../snapshots/stores/outside.ts';
import type { PaymentProvider } from './payments.ts';

export interface App {
  readonly config: Config;
  readonly database: Database;
  readonly keys: Keys;
  readonly store: SnapshotStore;
  readonly files: FileStore;
  readonly payments: PaymentProvider;
  /** Where checkpoints of the action log are kept; null: nowhere outside of the database. */
  readonly checkpoints: OutsideStore | null;
}

/** Who acts, and through which request: what the action log keeps. */
export interface Actor {
  readonly kind: 'STAFF' | 'OPERATOR' | 'SYSTEM' | 'API_KEY';
  /** The staff member's, the API key's or the operator's account id; null for the system. */
  readonly id: string | null;
  readonly name: string;
  readonly requestId: string;
  readonly address: string | null;
  readonly agent: string | null;
}

/** A signed-in actor with what it may do, read fresh for each operation. */
export interface Viewer extends Actor {
  readonly id: string;
  readonly accountId: string;
  /** Null for an API key. */
  readonly email: string | null;
  /** Null for an operator. */
  readonly organization: { readonly id: string; readonly name: string; readonly plan: Plan; readonly currency: string } | null;
  /** Of an API key: see `AccessClaims`. */
  readonly keyDigest?: Buffer;
  /** Null for an API key. */
  readonly sessionId: string | null;
  /** How many seconds ago they last proved who they are; null for an API key, and where an identity provider did not ask. */
  readonly provenAgo: number | null;
  readonly roles: readonly string[];
  readonly permissions: ReadonlySet<Permission>;
  /** What of contacts it does not see, and so neither finds by nor changes. */
  readonly hidden: ReadonlySet<FieldGroup>;
  /** The contacts that it works with; null: all. */
  readonly scope: Scope | null;
}

/** The staff member who is to be named as an author; null for an API key, which is named by its name alone. */
export const authorOf = ({ kind, id }: Actor): string | null => (kind === 'STAFF' ? id : null);

/** What a verified access token, or an API key, says. */
export interface AccessClaims {
  /** The account; of an API key its id. */
  readonly accountId: string;
  readonly organizationId: string | null;
  readonly expiresAt: Date;
  /** Of an access token. */
  readonly sessionId?: string;
  /** Of an API key: the SHA-256 of the secret that came with it. */
  readonly keyDigest?: Buffer;
}

/** The request that something was asked with. */
export interface From {
  readonly id: string;
  readonly address: string | null;
  readonly agent: string | null;
}
