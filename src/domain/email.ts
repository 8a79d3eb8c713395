// One spelling for every email address, so that the database can tell two of them apart by comparing text.
import { domainToASCII } from 'node:url';

const invisible = /[\p{Cc}\p{Cf}\p{Cs}\p{Z}\p{Default_Ignorable_Code_Point}]/u;
const ascii = /^[ -~]*$/;
const hostName = /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/**
 * The comparable form of an address (NFKC, trimmed, lower case, domain in punycode), or null when it is not one that
 * mail could reach: RFC 5321 lengths in octets, unquoted local part, a host name with a dot, nothing invisible.
 * Look-alike letters stay different: `аnn@example.org` with a Cyrillic а is another address.
 */
export function normalizeEmail(email: string): string | null {
  // ASCII is composed already. Lower-casing can leave a sequence that is not, hence the second pass.
  const address = ascii.test(email) ? email.trim().toLowerCase() : email.normalize('NFKC').trim().toLowerCase().normalize('NFKC');
  // The longest address has 254 octets; anything far beyond is not worth the work of converting its domain.
  if (address.length > 1_000 || invisible.test(address)) return null;
  const [local, host, ...more] = address.split('@');
  if (!local || !host || more.length > 0 || !isLocalPart(local)) return null;
  const domain = toAsciiDomain(host);
  if (!domain) return null;
  const normalized = `${local}@${domain}`;
  return Buffer.byteLength(normalized) <= 254 ? normalized : null;
}

function isLocalPart(local: string): boolean {
  if (Buffer.byteLength(local) > 64) return false;
  if (/[()<>[\]:;,\\"]/.test(local)) return false;
  return !local.startsWith('.') && !local.endsWith('.') && !local.includes('..');
}

function toAsciiDomain(host: string): string | null {
  // domainToASCII parses as a URL does: it would decode %41, cut at a slash and read 1.2 as an IP address.
  if (!/^[\p{L}\p{M}\p{N}.。-]+$/u.test(host)) return null;
  // A plain name in lower case is what it makes of it.
  const domain = hostName.test(host) && !host.includes('xn--') ? host : domainToASCII(host);
  return hostName.test(domain) && !/\.\d+$/.test(domain) ? domain : null;
}
