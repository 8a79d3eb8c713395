// Requests to addresses that users chose. They go to public addresses only (else they would reach into our own network),
// and what is checked is the address that is then connected to: a name that leads elsewhere the next time gains nothing.
import { lookup } from 'node:dns';
import http from 'node:http';
import https from 'node:https';
import { BlockList, isIP, type LookupFunction } from 'node:net';

/** IPv4 addresses that are not on the public internet (IANA IPv4 Special-Purpose Address Registry), multicast included. */
const closed4 = new BlockList();
for (const [network, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
] as const)
  closed4.addSubnet(network, prefix, 'ipv4');

/**
 * Everything of IPv6 but global unicast, 2000::/3: so loopback, link-local, unique local and multicast, and the forms that
 * carry an IPv4 address (::ffff:127.0.0.1, ::127.0.0.1, 64:ff9b::). Within 2000::/3: protocols, documentation and 6to4.
 */
const closed6 = new BlockList();
for (const [network, prefix] of [
  ['::', 3],
  ['4000::', 2],
  ['8000::', 1],
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
] as const)
  closed6.addSubnet(network, prefix, 'ipv6');

/** Whether this is an IP address of the public internet. */
export function isPublic(address: string): boolean {
  const [bare = ''] = address.split('%');
  if (isIP(bare) === 4) return !closed4.check(bare, 'ipv4');
  return isIP(bare) === 6 && !closed6.check(bare, 'ipv6');
}

/** Whether a URL names an IP address that is not public; what a name leads to is seen when it is connected to. */
export function namesPrivateAddress({ hostname }: URL): boolean {
  const host = hostname.replace(/^\[|\]$/g, '');
  return isIP(host) !== 0 && !isPublic(host);
}

/** A request that was not sent, because its URL does not lead to a public address over HTTPS. */
export class NotPublic extends Error {}

/** A request that was not answered in time. */
export class TooLate extends Error {}

/** Resolves a name to those of its addresses that are public. @throws NotPublic when it has none */
export const lookupPublic: LookupFunction = (hostname, options, callback) =>
  lookup(hostname, { ...options, all: true }, (error, all) => {
    const open = error ? [] : all.filter(({ address }) => isPublic(address));
    const [first] = open;
    if (!first) callback(error ?? new NotPublic(), '');
    else if (options.all) callback(null, open);
    else callback(null, first.address, first.family);
  });

export interface Request {
  method: string;
  headers: Record<string, string>;
  body?: string;
  /** Also to private addresses and over plain HTTP. */
  allowPrivate: boolean;
  /** How long all of it may take. */
  seconds: number;
  /** How much of the answer is read; a longer one is an error. Nothing by default. */
  mostBytes?: number;
}

export interface Answer {
  status: number;
  headers: http.IncomingHttpHeaders;
  body: Buffer;
}

/**
 * Sends one request. Redirects are not followed, and of the answer's body nothing is read but what was asked for.
 * @throws NotPublic, TooLate, or what the network says, with its `code`
 */
export async function send(url: URL, { method, headers, body = '', allowPrivate, seconds, mostBytes = 0 }: Request): Promise<Answer> {
  if (!allowPrivate && (url.protocol !== 'https:' || namesPrivateAddress(url))) throw new NotPublic();
  const { request } = url.protocol === 'https:' ? https : http;
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(seconds * 1000);
    const length: Record<string, string> = body || method === 'POST' ? { 'content-length': String(Buffer.byteLength(body)) } : {};
    // An agent of its own, so that no connection is kept, and none is used that someone else has opened.
    const options = { method, agent: false, signal, headers: { ...headers, ...length } };
    const sent = request(url, allowPrivate ? options : { ...options, lookup: lookupPublic });
    const fail = (error: Error) => reject(signal.aborted ? new TooLate(`It did not answer within ${seconds} seconds.`) : error);
    sent.once('response', (answer) => {
      const { statusCode: status = 0, headers: told } = answer;
      readBody(answer, mostBytes).then((read) => resolve({ status, headers: told, body: read }), fail);
    });
    sent.on('error', fail);
    sent.once('close', () => reject(new Error('The connection was closed without an answer.')));
    sent.end(body);
  });
}

async function readBody(answer: http.IncomingMessage, most: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  let length = 0;
  if (most > 0)
    for await (const part of answer as AsyncIterable<Buffer>) {
      parts.push(part);
      if ((length += part.length) > most) throw new Error(`The answer is longer than ${most} bytes.`);
    }
  answer.destroy();
  return Buffer.concat(parts);
}
