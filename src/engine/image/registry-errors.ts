import { DabbaError, type ErrorKind } from '#base';

/** A registry's answer that is no success, with its own words kept apart so that callers can add what they were after. */
export class RegistryRefusal extends DabbaError {
  readonly status: number;
  /** Error code of the distribution specification (`MANIFEST_UNKNOWN`), or empty. */
  readonly code: string;
  constructor(status: number, code: string, message: string) {
    super(kindOf(status, code), message);
    this.name = 'RegistryRefusal';
    this.status = status;
    this.code = code;
  }
}

/** Nothing could be asked of the endpoint at all. */
export class RegistryUnreachable extends DabbaError {
  constructor(message: string, options?: ErrorOptions) {
    super('Unavailable', message, options);
    this.name = 'RegistryUnreachable';
  }
}

/** Words a refusal as Docker does: `manifest unknown: Requested image not found` (distribution specification, "Error Codes"). */
export function refusalOf(status: number, statusText: string, body: string): RegistryRefusal {
  const { code, message } = firstError(body);
  if (code === '') return new RegistryRefusal(status, '', wordless[status] ?? `${status} ${statusText}`.trim());
  return new RegistryRefusal(status, code, `${code.toLowerCase().replaceAll('_', ' ')}: ${message || 'unknown error'}`);
}

/** What distribution says where it says something. */
const wordless: { readonly [status: number]: string } = {
  401: 'unauthorized: authentication required',
  403: 'denied: requested access to the resource is denied',
};

function firstError(body: string): { readonly code: string; readonly message: string } {
  const none = { code: '', message: '' };
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    return none; // not every proxy in between answers JSON
  }
  if (typeof parsed !== 'object' || parsed === null || !('errors' in parsed) || !Array.isArray(parsed.errors))
    return none;
  const first: unknown = parsed.errors[0];
  if (typeof first !== 'object' || first === null || !('code' in first) || typeof first.code !== 'string') return none;
  return { code: first.code, message: 'message' in first && typeof first.message === 'string' ? first.message : '' };
}

function kindOf(status: number, code: string): ErrorKind {
  if (status === 401) return 'Unauthenticated';
  if (status === 403 || code === 'DENIED') return 'PermissionDenied';
  if (status === 404) return 'NotFound';
  if (status === 429 || status >= 500) return 'Unavailable';
  if (status === 409) return 'Conflict';
  return 'InvalidArgument';
}
