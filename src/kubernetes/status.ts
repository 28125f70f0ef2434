/** Refusals in Kubernetes' own words: the one place where reasons, codes and their messages are made. */
import type { ObjectName, ResourceType } from './object.ts';
import { qualifiedResource } from './object.ts';
import type { Status } from './types.ts';

/** The HTTP code of each reason: apimachinery `meta/v1`, "StatusReason". */
const codes = {
  BadRequest: 400,
  Unauthorized: 401,
  Forbidden: 403,
  NotFound: 404,
  MethodNotAllowed: 405,
  NotAcceptable: 406,
  AlreadyExists: 409,
  Conflict: 409,
  Gone: 410,
  Expired: 410,
  RequestEntityTooLarge: 413,
  UnsupportedMediaType: 415,
  Invalid: 422,
  TooManyRequests: 429,
  InternalError: 500,
  NotImplemented: 501,
  ServiceUnavailable: 503,
  Timeout: 504,
  ServerTimeout: 500,
} as const;

export type StatusReason = keyof typeof codes;

type StatusDetails = NonNullable<Status['details']>;

/** A failure that a client of the API is told, as a `Status` object. */
export class StatusError extends Error {
  readonly reason: StatusReason;
  readonly code: number;
  readonly details: StatusDetails | undefined;
  /** Where a list that expired may go on, inconsistently. */
  readonly continueToken: string | undefined;

  constructor(
    reason: StatusReason,
    message: string,
    {
      details,
      cause,
      continueToken,
    }: { readonly details?: StatusDetails; readonly cause?: unknown; readonly continueToken?: string } = {},
  ) {
    super(message, { cause });
    this.name = 'StatusError';
    this.reason = reason;
    this.code = codes[reason];
    this.details = details;
    this.continueToken = continueToken;
  }

  /** The body that tells it. */
  toStatus(): Status {
    return {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: { ...(this.continueToken && { continue: this.continueToken }) },
      status: 'Failure',
      message: this.message,
      reason: this.reason,
      ...(this.details && { details: this.details }),
      code: this.code,
    };
  }
}

/** True if `error` is a `StatusError`, of one of the reasons when some are given. */
export function isStatusError(error: unknown, ...reasons: readonly StatusReason[]): error is StatusError {
  return error instanceof StatusError && (reasons.length === 0 || reasons.includes(error.reason));
}

/** Reads the `Status` a server answered; what it does not say is made up from the HTTP code. */
export function statusErrorOf(code: number, body: Partial<Status>): StatusError {
  const reason =
    (Object.keys(codes) as StatusReason[]).find((name) => name === body.reason) ??
    (Object.keys(codes) as StatusReason[]).find((name) => codes[name] === code) ??
    'InternalError';
  return new StatusError(reason, body.message ?? `the server answered ${code}`, {
    ...(body.details && { details: body.details }),
  });
}

type Named = Pick<ResourceType, 'group' | 'resource'>;

function detailsOf({ group, resource }: Named, name: string): StatusDetails {
  return { name, ...(group && { group }), kind: resource };
}

export function notFound(type: Named, name: string): StatusError {
  return new StatusError('NotFound', `${qualifiedResource(type)} "${name}" not found`, {
    details: detailsOf(type, name),
  });
}

export function alreadyExists(type: Named, name: string): StatusError {
  return new StatusError('AlreadyExists', `${qualifiedResource(type)} "${name}" already exists`, {
    details: detailsOf(type, name),
  });
}

export function conflict(type: Named, name: string, why: string): StatusError {
  return new StatusError('Conflict', `Operation cannot be fulfilled on ${qualifiedResource(type)} "${name}": ${why}`, {
    details: detailsOf(type, name),
  });
}

/** `why` is what an admission plugin or authoriser says. */
export function forbidden(type: Named, { name }: Partial<ObjectName>, why: string): StatusError {
  const subject = name ? `${qualifiedResource(type)} "${name}"` : qualifiedResource(type);
  return new StatusError('Forbidden', `${subject} is forbidden: ${why}`, { details: detailsOf(type, name ?? '') });
}

/** One thing that is wrong with one field: apimachinery `util/validation/field`, "Error". */
export interface FieldError {
  readonly type:
    | 'Required value'
    | 'Invalid value'
    | 'Unsupported value'
    | 'Duplicate value'
    | 'Forbidden'
    | 'Too long'
    | 'Too many'
    | 'Not found'
    | 'Internal error';
  /** `spec.containers[0].name`. */
  readonly field: string;
  /** The whole message as upstream prints it behind the field: `Invalid value: "x": must be no more than 63 characters`. */
  readonly message: string;
}

/** The `reason` that a cause carries for each type of field error. */
const causes: { readonly [Type in FieldError['type']]: string } = {
  'Required value': 'FieldValueRequired',
  'Invalid value': 'FieldValueInvalid',
  'Unsupported value': 'FieldValueNotSupported',
  'Duplicate value': 'FieldValueDuplicate',
  Forbidden: 'FieldValueForbidden',
  'Too long': 'FieldValueTooLong',
  'Too many': 'FieldValueTooMany',
  'Not found': 'FieldValueNotFound',
  'Internal error': 'InternalError',
};

/** 422: `Service "X" is invalid: [spec.a: Required value, spec.b: …]`; one error stands without brackets. */
export function invalid(
  type: Pick<ResourceType, 'group' | 'kind'>,
  name: string,
  errors: readonly FieldError[],
): StatusError {
  const lines = errors.map(({ field, message }) => `${field}: ${message}`);
  const subject = type.group ? `${type.kind}.${type.group}` : type.kind;
  return new StatusError(
    'Invalid',
    `${subject} "${name}" is invalid: ${lines.length === 1 ? lines[0] : `[${lines.join(', ')}]`}`,
    {
      details: {
        name,
        ...(type.group && { group: type.group }),
        kind: type.kind,
        causes: errors.map((error) => ({ reason: causes[error.type], message: error.message, field: error.field })),
      },
    },
  );
}
