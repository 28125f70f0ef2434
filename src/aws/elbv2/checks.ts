import { validationError } from './find.ts';

const MAX_PAGE = 400;

/** The name of a load balancer or target group: 32 letters, digits and hyphens, no hyphen at either end. */
export function checkName(name: string | undefined, what: string): string {
  if (!name) throw validationError(`A ${what} name must be specified`);
  if (name.length > 32) throw validationError(`The ${what} name '${name}' cannot be longer than '32' characters`);
  if (!/^[A-Za-z0-9-]+$/.test(name))
    throw validationError(
      `The ${what} name '${name}' can only contain characters that are alphanumeric characters and hyphens(-)`,
    );
  if (name.startsWith('-') || name.endsWith('-'))
    throw validationError(`The ${what} name '${name}' cannot begin or end with a hyphen`);
  if (name.startsWith('internal-')) throw validationError(`The ${what} name '${name}' cannot begin with 'internal-'`);
  return name;
}

export function checkPort(port: number | undefined, what: string): number {
  if (port === undefined) throw validationError(`A ${what} port must be specified`);
  if (!Number.isInteger(port) || port < 1 || port > 65_535)
    throw validationError(`${what} port '${port}' must be between 1 and 65535`);
  return port;
}

export function checkPageSize(size: number | undefined): number {
  if (size === undefined) return MAX_PAGE;
  if (size < 1 || size > MAX_PAGE) throw validationError(`Page size '${size}' must be between 1 and ${MAX_PAGE}`);
  return size;
}
