// Addresses of a row: each column gives a part of one, and the first becomes the contact's own.
import type { TargetField } from './mapping.ts';
import { countryName } from './countries.ts';
import { addPoint, hasWords, lineBreak, oneLine, pointLength, setOnce, type Work, wordsOf } from './drafting.ts';
import { splitAddress, splitPostalCode } from './values.ts';

export interface Address {
  label: string | null;
  street: string | undefined;
  city: string | undefined;
  region: string | undefined;
  postalCode: string | undefined;
  country: string | undefined;
  whole: string | undefined;
}

export const newAddress = (label: string | null): Address => ({
  label,
  street: undefined,
  city: undefined,
  region: undefined,
  postalCode: undefined,
  country: undefined,
  whole: undefined,
});

const oneAddress = (value: string): string => (value.includes('\n') || value.includes('\r') ? value.replace(lineBreak, ', ') : value);

/** A house number stands beside its street, anything else after it. */
const joinStreet = (street: string, more: string): string => (/^\d+\s?[a-z]?$/i.test(more) ? `${street} ${more}` : `${street}, ${more}`);

/** How a value is read into an address. `header` says where it came from, in `rest`, where the address has such a part already. */
export interface AddressField {
  read(address: Address, value: string, header: string, rest: string[]): void;
  /** Of a line, when left out. */
  longest?: number;
}

const part = (name: 'city' | 'region' | 'postalCode'): AddressField => ({
  read: (address, value, header, rest) => setOnce(address, name, oneLine(value), header, rest),
});

export const addressFields: { readonly [field in TargetField]?: AddressField } = {
  STREET: {
    read: (address, value) => void (address.street = address.street ? joinStreet(address.street, oneAddress(value)) : oneAddress(value)),
  },
  CITY: part('city'),
  REGION: part('region'),
  POSTAL_CODE: part('postalCode'),
  POSTAL_CODE_AND_CITY: {
    read(address, value, header, rest) {
      const { postalCode, city } = splitPostalCode(oneLine(value));
      if (postalCode) setOnce(address, 'postalCode', postalCode, header, rest);
      if (city) setOnce(address, 'city', city, header, rest);
    },
  },
  COUNTRY: { read: (address, value, header, rest) => setOnce(address, 'country', countryName(oneLine(value)), header, rest) },
  FULL_ADDRESS: {
    read(address, value, header, rest) {
      const parts = splitAddress(value);
      if (parts && address.street === undefined && address.city === undefined) Object.assign(address, parts, { country: countryName(parts.country) });
      else setOnce(address, 'whole', oneAddress(value).replace(/\s{2,}/g, ', '), header, rest);
    },
    longest: pointLength,
  },
};

export function finishAddresses({ draft, addresses }: Work): void {
  let own: Address | undefined;
  for (const address of addresses) {
    if (!address) continue;
    const { street, city, postalCode, country, region, whole } = address;
    if (!own && (street ?? city ?? postalCode ?? country) !== undefined) {
      own = address;
      if (street !== undefined) draft.fields.street = street;
      if (city !== undefined) draft.fields.city = city;
      if (postalCode !== undefined) draft.fields.postalCode = postalCode;
      if (country !== undefined) draft.fields.country = country;
      if (region === undefined && (whole === undefined || hasWords(wordsOf([street, city, postalCode, country]), whole))) continue;
    } else if (own && saysNoMore(address, own)) continue;
    addPoint(draft.contactPoints, 'ADDRESS', wholeOf(address), address.label);
  }
}

/** True for the own address once more: with the same parts, and nothing beside them. */
function saysNoMore({ street, city, region, postalCode, country, whole }: Address, own: Address): boolean {
  if (street !== own.street || city !== own.city || postalCode !== own.postalCode || country !== own.country || region !== own.region) return false;
  return whole === undefined || whole === own.whole || hasWords(wordsOf([street, city, region, postalCode, country]), whole);
}

/** An address in one line: as the row has it where that says all, or from its parts. */
function wholeOf({ street, city, region, postalCode, country, whole }: Address): string {
  const parts = [street, city, region, postalCode, country].filter((part) => part !== undefined);
  if (whole !== undefined && (parts.every((part) => whole.includes(part)) || hasWords(wordsOf([whole]), parts.join(' ')))) return whole;
  const place = [[city, region].filter(Boolean).join(', '), postalCode].filter(Boolean).join(' ');
  return [street, place, country, whole].filter(Boolean).join(', ');
}
