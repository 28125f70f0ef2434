/** The forms that names, labels, keys and ports have: apimachinery `util/validation`. Each check answers what is wrong, in upstream's words; nothing wrong is an empty list. */
import { isIP, isIPv6 } from 'node:net';

export type Messages = readonly string[];
export type NameCheck = (name: string) => Messages;

const label1123 = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const subdomain1123 = `${label1123}(\\.${label1123})*`;
const label1035 = '[a-z]([-a-z0-9]*[a-z0-9])?';
const qualified = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]';
const labelValuePattern = `(${qualified})?`;
const configKey = '[-._a-zA-Z0-9]+';

const whole = (pattern: string) => new RegExp(`^${pattern}$`);
const matchers = {
  label1123: whole(label1123),
  subdomain1123: whole(subdomain1123),
  label1035: whole(label1035),
  qualified: whole(qualified),
  labelValue: whole(labelValuePattern),
  configKey: whole(configKey),
};

function regexMessage(message: string, pattern: string, ...examples: readonly string[]): string {
  return `${message} (e.g. ${examples.map((example) => `'${example}'`).join(',  or ')}, regex used for validation is '${pattern}')`;
}

const messages = {
  label1123: regexMessage(
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character",
    label1123,
    'my-name',
    '123-abc',
  ),
  subdomain1123: regexMessage(
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
    subdomain1123,
    'example.com',
  ),
  label1035: regexMessage(
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character",
    label1035,
    'my-name',
    'abc-123',
  ),
  qualified: regexMessage(
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
    qualified,
    'MyName',
    'my.name',
    '123-abc',
  ),
  labelValue: regexMessage(
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
    labelValuePattern,
    'MyValue',
    'my_value',
    '12345',
  ),
  configKey: regexMessage(
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
    configKey,
    'key.name',
    'KEY_NAME',
    'key-name',
  ),
};

function bounded(value: string, max: number): Messages {
  return Buffer.byteLength(value) > max ? [`must be no more than ${max} bytes`] : [];
}

function formed(value: string, form: keyof typeof matchers, max: number): Messages {
  // What is far too long is not worth a regular expression's time.
  const length = bounded(value, max);
  if (length.length > 0 && value.length > 8 * max) return length;
  return [...length, ...(matchers[form].test(value) ? [] : [messages[form]])];
}

export const dnsLabel: NameCheck = (name) => formed(name, 'label1123', 63);
export const dnsSubdomain: NameCheck = (name) => formed(name, 'subdomain1123', 253);
export const dns1035Label: NameCheck = (name) => formed(name, 'label1035', 63);
export const labelValue: NameCheck = (value) => formed(value, 'labelValue', 63);

/** The key of a config map's or secret's entry, which becomes a file's name. */
export const configMapKey: NameCheck = (key) => [
  ...formed(key, 'configKey', 253),
  ...(key === '.'
    ? ["must not be '.'"]
    : key === '..'
      ? ["must not be '..'"]
      : key.startsWith('..')
        ? ["must not start with '..'"]
        : []),
];

/** `app`, `app.kubernetes.io/name`: a name, with a domain before a slash if need be. */
export const qualifiedName: NameCheck = (value) => {
  const parts = value.split('/');
  if (parts.length > 2)
    return [
      `a qualified name ${messages.qualified} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`,
    ];
  const name = parts.at(-1)!;
  const prefix = parts.length === 2 ? parts[0]! : undefined;
  const prefixMessages =
    prefix === undefined
      ? []
      : prefix === ''
        ? ['prefix part must be non-empty']
        : dnsSubdomain(prefix).map((message) => `prefix part ${message}`);
  if (name === '') return [...prefixMessages, 'name part must be non-empty'];
  return [...prefixMessages, ...formed(name, 'qualified', 63).map((message) => `name part ${message}`)];
};

/** A name that becomes a segment of a path and need have no other form: roles, for one. */
export const pathSegmentName: NameCheck = (name) => {
  if (name === '.' || name === '..') return [`may not be '${name}'`];
  return ['/', '%']
    .filter((character) => name.includes(character))
    .map((character) => `may not contain '${character}'`);
};

/** A name that something is to be appended to may end in a dash. */
export function asPrefix(check: NameCheck): NameCheck {
  return (name) => check(name.endsWith('-') && name.length > 1 ? `${name.slice(0, -1)}a` : name);
}

export function portNumber(port: unknown): Messages {
  return Number.isInteger(port) && (port as number) >= 1 && (port as number) <= 65_535
    ? []
    : ['must be between 1 and 65535, inclusive'];
}

export const portName: NameCheck = (name) => [
  ...bounded(name, 15),
  ...(/^[-a-z0-9]*$/.test(name) ? [] : ['must contain only alphanumeric characters (a-z, 0-9), and hyphens (-)']),
  ...(/[a-z]/.test(name) ? [] : ['must contain at least one letter (a-z)']),
  ...(name.includes('--') ? ['must not contain consecutive hyphens'] : []),
  ...(/^-|-$/.test(name) ? ['must not begin or end with a hyphen'] : []),
];

export const environmentName: NameCheck = (name) =>
  /^[ -<>-~]+$/.test(name)
    ? []
    : [
        "a valid environment variable name must consist only of printable ASCII characters other than '=' (regex used for validation is '^[ -<>-~]+$')",
      ];

export function userId(id: number | undefined): Messages {
  return id === undefined || (id >= 0 && id <= 2 ** 31 - 1) ? [] : ['must be between 0 and 2147483647, inclusive'];
}

export function ipAddress(value: string): Messages {
  return isIP(value) ? [] : ['must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'];
}

export function cidr(value: string): Messages {
  const match = /^([^/]+)\/(\d{1,3})$/.exec(value);
  const isValid = match && isIP(match[1]!) && Number(match[2]) <= (isIPv6(match[1]!) ? 128 : 32);
  return isValid ? [] : ['must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)'];
}

const percentage = regexMessage(
  "a valid percent string must be a numeric string followed by an ending '%'",
  '[0-9]+%',
  '1%',
  '93%',
);
export const percent: NameCheck = (value) => (/^[0-9]+%$/.test(value) ? [] : [percentage]);
