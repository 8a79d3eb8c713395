// IP addresses: which network one is in, and whose request it really is when a proxy has passed it on.
import type { IncomingMessage } from 'node:http';
import { BlockList, isIP, isIPv4, isIPv6 } from 'node:net';

type Subnet = [address: string, prefix: number, family: 'ipv4' | 'ipv6'];

function subnetOf(network: string): Subnet | undefined {
  const [, address = '', bits] = /^([0-9a-fA-F:.]+)(?:\/(\d{1,3}))?$/.exec(network) ?? [];
  const family = isIPv4(address) ? 'ipv4' : isIPv6(address) ? 'ipv6' : undefined;
  if (!family) return undefined;
  const most = family === 'ipv4' ? 32 : 128;
  const length = bits === undefined ? most : Number(bits);
  return length <= most ? [address, length, family] : undefined;
}

/** Whether this is an address, or an address and a prefix as in 192.0.2.0/24. */
export const isNetwork = (network: string): boolean => subnetOf(network) !== undefined;

/** An IPv4 address in its own form, also where a socket for both kinds gave it as ::ffff:192.0.2.1. */
const plain = (address: string): string => address.replace(/^::ffff:(?=\d+\.)/i, '');

/** Whether an address is in one of the networks. */
export function isWithin(networks: readonly string[], address: string): boolean {
  const list = new BlockList();
  for (const network of networks) list.addSubnet(...subnetOf(network)!);
  const bare = plain(address);
  return list.check(bare, isIPv4(bare) ? 'ipv4' : 'ipv6');
}

/** What one subscriber is given: an address of IPv4, and the first 64 bits of one of IPv6. */
export function subscriberOf(address: string): string {
  const bare = plain(address);
  if (!isIPv6(bare)) return bare;
  const [head = '', tail] = bare.split('::');
  const groups = (part: string | undefined) => (part ? part.split(':') : []);
  const [first, last] = [groups(head), groups(tail)];
  const all = tail === undefined ? first : [...first, ...Array<string>(Math.max(0, 8 - first.length - last.length)).fill('0'), ...last];
  return all
    .slice(0, 4)
    .map((group) => parseInt(group, 16).toString(16))
    .join(':');
}

/**
 * The address that a request came from. What `x-forwarded-for` says is read from its end, for as long as it was added by
 * a proxy that is trusted: anyone can send one.
 */
export function clientOf({ socket, headers }: IncomingMessage, trusted: readonly string[]): string | null {
  let address = socket.remoteAddress ?? null;
  const forwarded = [headers['x-forwarded-for'] ?? []].flat().join(',').split(',');
  for (let hop = forwarded.pop()?.trim(); hop && isIP(hop) && address && isWithin(trusted, address); hop = forwarded.pop()?.trim()) address = hop;
  return address;
}

/** Whether a proxy that is trusted says that the client asked over HTTPS. */
export const isOverHttps = ({ socket, headers }: IncomingMessage, trusted: readonly string[]): boolean =>
  headers['x-forwarded-proto'] === 'https' && isWithin(trusted, socket.remoteAddress ?? '');
