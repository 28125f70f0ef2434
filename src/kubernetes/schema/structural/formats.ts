/** The formats of strings and numbers that a schema may name: apiextensions `apiserver/validation/formats.go`. Others are not checked. */
import { isIP } from 'node:net';

type Check = (text: string) => boolean;

const matching =
  (pattern: RegExp): Check =>
  (text) =>
    pattern.test(text);
const hostname = matching(
  /^(?=.{1,253}$)[a-zA-Z0-9](?:[-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?)*$/,
);
const uuid = (version: string) =>
  matching(new RegExp(`^[0-9a-f]{8}-?[0-9a-f]{4}-?${version}[0-9a-f]{3}-?[0-9a-f]{4}-?[0-9a-f]{12}$`, 'i'));
const dateTime = matching(
  /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])[Tt](?:[01]\d|2[0-3]):[0-5]\d:(?:[0-5]\d|60)(?:\.\d+)?(?:[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/,
);
const date: Check = (text) => /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(Date.parse(text));
const cidr: Check = (text) => {
  const [address = '', bits = ''] = text.split('/');
  const family = isIP(address);
  return family !== 0 && /^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128);
};

export const stringFormats: { readonly [format: string]: Check } = {
  date,
  datetime: dateTime,
  'date-time': dateTime,
  duration: matching(/^-?(?:\d+(?:\.\d+)?\s*(?:ns|us|µs|ms|s|m|h|d|w)\s*)+$/),
  email: matching(/^[^\s@<>]+@[^\s@<>]+$/),
  hostname,
  ipv4: (text) => isIP(text) === 4,
  ipv6: (text) => isIP(text) === 6,
  ip: (text) => isIP(text) !== 0,
  cidr,
  mac: matching(/^(?:[0-9a-fA-F]{2}[:-]){5}[0-9a-fA-F]{2}$/),
  uri: (text) => URL.canParse(text) || text.startsWith('/'),
  uuid: uuid('[0-9a-f]'),
  uuid3: uuid('3'),
  uuid4: uuid('4'),
  uuid5: uuid('5'),
  byte: (text) => text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text),
  isbn10: matching(/^(?:\d[- ]?){9}[\dX]$/),
  isbn13: matching(/^(?:\d[- ]?){12}\d$/),
  creditcard: matching(/^(?:\d[- ]?){12,18}\d$/),
  ssn: matching(/^\d{3}[- ]?\d{2}[- ]?\d{4}$/),
  hexcolor: matching(/^#?(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{6})$/),
  rgbcolor: matching(/^rgb\(\s*\d{1,3}\s*(?:,\s*\d{1,3}\s*){2}\)$/),
};
