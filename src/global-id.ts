// What a record is called by everyone outside, clients and integrations alike.

/**
 * The global id of a record: opaque to clients, unique across kinds. In base64url: of letters, digits, colons and hyphens
 * `btoa` makes none of the characters in which the two differ, and takes a third of the time.
 */
export function globalId(kind: string, id: string): string {
  const padded = btoa(`${kind}:${id}`);
  const end = padded.indexOf('=');
  return end === -1 ? padded : padded.slice(0, end);
}

/** The form of the UUIDs that records have. */
export const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
