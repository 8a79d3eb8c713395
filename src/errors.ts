// The few kinds of failure. What each becomes in GraphQL is decided once, in api.ts.

/** An expected refusal: the transaction rolls back and the caller reads it in the payload's userErrors. */
export class Refusal extends Error {
  constructor(
    readonly code: string,
    message: string,
    readonly path: string[] = [],
  ) {
    super(message);
  }
}

/** No valid sign-in. */
export class Unauthenticated extends Error {
  readonly code = 'UNAUTHENTICATED';
  constructor(message = 'You are not signed in, or your sign-in has expired. Nothing was changed. Sign in and send the access token again.') {
    super(message);
  }
}

/** A rule said no: `code` names the rule, the message what to do. */
export class Forbidden extends Error {
  constructor(
    readonly code: 'FORBIDDEN' | 'HIDDEN_FIELD' | 'PLAN_REQUIRED' | 'RECOVERY_WINDOW_CLOSED' | 'PROOF_REQUIRED',
    message: string,
  ) {
    super(message);
  }
}

/** Unknown, or another organization's: the two read exactly alike. */
export class NotFound extends Error {
  readonly code = 'NOT_FOUND';
  constructor(noun: string) {
    super(`There is no such ${noun}. Nothing was changed. Check the id; it may have been deleted.`);
  }
}

/** An argument that can't be understood: a malformed id, a broken cursor, a page size out of range, a place that is gone. */
export class InvalidInput extends Error {
  constructor(
    readonly code: 'MALFORMED_ID' | 'BAD_CURSOR' | 'BAD_PAGE_SIZE' | 'BAD_INPUT' | 'LOG_PRUNED',
    message: string,
  ) {
    super(message);
  }
}

/** Who asked has spent what may be asked for in a minute. */
export class RateLimited extends Error {
  readonly code = 'RATE_LIMITED';
  constructor(
    message: string,
    /** How long to wait. */
    readonly seconds: number,
  ) {
    super(message);
  }
}

/** An operation was at the database for longer than it may be. */
export class TimedOut extends Error {
  readonly code = 'OPERATION_TIMEOUT';
  constructor() {
    super('This took longer than an operation may take, and was stopped. What it had begun was taken back. Ask for less at once, or try again later.');
  }
}

/** The server can't start or go on; the message is one line for the person who runs it. */
export class StartupError extends Error {}
