import { DabbaError, isDabbaError, type Digest, type ErrorKind } from '#base';

/** The error codes of the OCI distribution specification, "Error Codes", and the three more that its reference implementation uses. */
export type RegistryErrorCode =
  | 'BLOB_UNKNOWN'
  | 'BLOB_UPLOAD_INVALID'
  | 'BLOB_UPLOAD_UNKNOWN'
  | 'DIGEST_INVALID'
  | 'MANIFEST_BLOB_UNKNOWN'
  | 'MANIFEST_INVALID'
  | 'MANIFEST_UNKNOWN'
  | 'NAME_INVALID'
  | 'NAME_UNKNOWN'
  | 'SIZE_INVALID'
  | 'TAG_INVALID'
  | 'RANGE_INVALID'
  | 'UNAUTHORIZED'
  | 'DENIED'
  | 'UNSUPPORTED'
  | 'TOOMANYREQUESTS'
  | 'UNAVAILABLE'
  | 'UNKNOWN';

const answers: { readonly [Code in RegistryErrorCode]: { readonly kind: ErrorKind; readonly status: number } } = {
  BLOB_UNKNOWN: { kind: 'NotFound', status: 404 },
  BLOB_UPLOAD_INVALID: { kind: 'Conflict', status: 400 },
  BLOB_UPLOAD_UNKNOWN: { kind: 'NotFound', status: 404 },
  DIGEST_INVALID: { kind: 'InvalidArgument', status: 400 },
  MANIFEST_BLOB_UNKNOWN: { kind: 'FailedPrecondition', status: 400 },
  MANIFEST_INVALID: { kind: 'InvalidArgument', status: 400 },
  MANIFEST_UNKNOWN: { kind: 'NotFound', status: 404 },
  NAME_INVALID: { kind: 'InvalidArgument', status: 400 },
  NAME_UNKNOWN: { kind: 'NotFound', status: 404 },
  SIZE_INVALID: { kind: 'InvalidArgument', status: 413 },
  TAG_INVALID: { kind: 'InvalidArgument', status: 400 },
  RANGE_INVALID: { kind: 'InvalidArgument', status: 416 },
  UNAUTHORIZED: { kind: 'Unauthenticated', status: 401 },
  DENIED: { kind: 'PermissionDenied', status: 403 },
  UNSUPPORTED: { kind: 'Unimplemented', status: 405 },
  TOOMANYREQUESTS: { kind: 'ResourceExhausted', status: 429 },
  UNAVAILABLE: { kind: 'Unavailable', status: 503 },
  UNKNOWN: { kind: 'Internal', status: 500 },
};

/** The one table from the kind of a failure in another room to OCI's answer. */
const byKind: { readonly [Kind in ErrorKind]: { readonly code: RegistryErrorCode; readonly status: number } } = {
  InvalidArgument: { code: 'DIGEST_INVALID', status: 400 },
  NotFound: { code: 'NAME_UNKNOWN', status: 404 },
  AlreadyExists: { code: 'TAG_INVALID', status: 400 },
  Conflict: { code: 'TAG_INVALID', status: 400 },
  FailedPrecondition: { code: 'MANIFEST_BLOB_UNKNOWN', status: 400 },
  PermissionDenied: { code: 'DENIED', status: 403 },
  Unauthenticated: { code: 'UNAUTHORIZED', status: 401 },
  ResourceExhausted: { code: 'UNAVAILABLE', status: 507 },
  Unavailable: { code: 'UNAVAILABLE', status: 503 },
  Unimplemented: { code: 'UNSUPPORTED', status: 405 },
  Cancelled: { code: 'UNAVAILABLE', status: 503 },
  DataLoss: { code: 'UNKNOWN', status: 500 },
  Internal: { code: 'UNKNOWN', status: 500 },
};

/** What a manifest refers to and its repository lacks. */
export interface MissingContent {
  readonly blobs: readonly Digest[];
  readonly manifests: readonly Digest[];
}

/** A failure that OCI has a code for. */
export class RegistryError extends DabbaError {
  readonly code: RegistryErrorCode;
  readonly missing: MissingContent | undefined;
  /** The indexes that name a manifest and keep it from deletion. */
  readonly parents: readonly Digest[] | undefined;

  constructor(
    code: RegistryErrorCode,
    message: string,
    options: ErrorOptions & { readonly missing?: MissingContent; readonly parents?: readonly Digest[] } = {},
  ) {
    super(answers[code].kind, message, options);
    this.name = 'RegistryError';
    this.code = code;
    this.missing = options.missing;
    this.parents = options.parents;
  }
}

/** An error as OCI words it. */
export interface ErrorAnswer {
  readonly status: number;
  readonly code: RegistryErrorCode;
  readonly message: string;
}

/** OCI's answer to whatever was thrown. A broken assumption keeps its message to itself. */
export function answerOf(error: unknown): ErrorAnswer {
  if (error instanceof RegistryError)
    return { status: answers[error.code].status, code: error.code, message: error.message };
  if (isDabbaError(error)) return { ...byKind[error.kind], message: error.message };
  return { status: 500, code: 'UNKNOWN', message: 'unknown error' };
}
