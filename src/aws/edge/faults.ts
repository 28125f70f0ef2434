import { isDabbaError, messageOf, type ErrorKind, type Logger } from '#base';
import { SignatureFault, type SignatureFaultKind } from '../auth/index.ts';
import { AwsError } from '../errors.ts';
import type { ServiceModel, WireError, WireName } from '../wire/index.ts';
import type { Call } from './call.ts';

/** Whatever a call threw, as an error of the caller's protocol. What nobody foresaw is logged and says nothing of itself. */
export function wireErrorOf(error: unknown, call: Call, logger: Logger): WireError {
  const wire = call.wire?.name ?? 'json';
  if (error instanceof AwsError) return modelled(error, call.service?.model);
  if (error instanceof SignatureFault) return modelled(signatureError(error, wire), call.service?.model);
  if (isDabbaError(error) && error.kind !== 'Internal' && error.kind !== 'DataLoss')
    return modelled(dabbaError(error.kind, error.message, call, wire), call.service?.model);
  logger.error('call failed', {
    requestId: call.requestId,
    service: call.service?.definition.name,
    operation: call.wireCall?.operation.name,
    error: messageOf(error),
    stack: error instanceof Error ? error.stack : undefined,
  });
  const code = wire === 'ec2' ? 'InternalError' : 'InternalFailure';
  return modelled(
    new AwsError(
      code,
      `The request processing has failed because of an internal error. Request id: ${call.requestId}`,
      { status: 500 },
    ),
    undefined,
  );
}

/** Adds what the model knows of an error: status, fault, and the code of the Query protocols. */
function modelled(error: AwsError, model: ServiceModel | undefined): WireError {
  const schema = model?.errors.get(error.code) ?? model?.errorsByQueryCode.get(error.code);
  const status =
    error.status ?? schema?.query?.status ?? schema?.httpStatus ?? (schema?.fault === 'server' ? 500 : 400);
  return {
    code: schema?.name ?? error.code,
    queryCode: schema?.query?.code ?? schema?.name ?? error.code,
    message: error.message,
    status,
    fault: schema?.fault ?? (status < 500 ? 'client' : 'server'),
    members: error.members,
  };
}

type Words = { readonly [kind in SignatureFaultKind]: readonly [code: string, status: number] };

const jsonWords: Words = {
  missing: ['MissingAuthenticationTokenException', 400],
  incomplete: ['IncompleteSignatureException', 400],
  'unknown-key': ['UnrecognizedClientException', 400],
  'wrong-token': ['UnrecognizedClientException', 400],
  'expired-token': ['ExpiredTokenException', 400],
  expired: ['InvalidSignatureException', 400],
  'wrong-scope': ['InvalidSignatureException', 400],
  mismatch: ['InvalidSignatureException', 400],
};

const queryWords: Words = {
  missing: ['MissingAuthenticationToken', 403],
  incomplete: ['IncompleteSignature', 400],
  'unknown-key': ['InvalidClientTokenId', 403],
  'wrong-token': ['InvalidClientTokenId', 403],
  'expired-token': ['ExpiredToken', 403],
  expired: ['SignatureDoesNotMatch', 403],
  'wrong-scope': ['SignatureDoesNotMatch', 403],
  mismatch: ['SignatureDoesNotMatch', 403],
};

const ec2Words: Words = {
  missing: ['MissingAuthenticationToken', 403],
  incomplete: ['IncompleteSignature', 400],
  'unknown-key': ['AuthFailure', 401],
  'wrong-token': ['AuthFailure', 401],
  'expired-token': ['RequestExpired', 400],
  expired: ['RequestExpired', 400],
  'wrong-scope': ['AuthFailure', 401],
  mismatch: ['AuthFailure', 401],
};

/** A signature that was not accepted, in each protocol's own words. */
function signatureError(fault: SignatureFault, wire: WireName): AwsError {
  const words = wire === 'query' ? queryWords : wire === 'ec2' ? ec2Words : jsonWords;
  const [code, status] = words[fault.kind];
  const message =
    code === 'AuthFailure' ? 'AWS was not able to validate the provided access credentials' : fault.message;
  return new AwsError(code, message, { status: wire === 'rest-json' ? 403 : status });
}

/**
 * The one table from our failure kinds to AWS codes. The first code that the service's model declares is taken, else the last, which is the
 * protocol's common one.
 */
const codes: {
  readonly [kind in ErrorKind]: { readonly status: number; readonly json: readonly string[]; readonly ec2: string };
} = {
  InvalidArgument: {
    status: 400,
    json: ['InvalidParameterException', 'InvalidInputException', 'InvalidParameterValue', 'ValidationException'],
    ec2: 'InvalidParameterValue',
  },
  NotFound: {
    status: 404,
    json: ['ResourceNotFoundException', 'NoSuchEntityException', 'ResourceNotFound'],
    ec2: 'InvalidParameterValue',
  },
  AlreadyExists: {
    status: 409,
    json: [
      'ResourceAlreadyExistsException',
      'EntityAlreadyExistsException',
      'ResourceInUseException',
      'ResourceConflictException',
    ],
    ec2: 'AlreadyExists',
  },
  Conflict: {
    status: 409,
    json: [
      'ConflictException',
      'ConcurrentModificationException',
      'OperationAbortedException',
      'UpdateInProgressException',
      'ResourceConflictException',
    ],
    ec2: 'IncorrectState',
  },
  FailedPrecondition: {
    status: 400,
    json: [
      'InvalidRequestException',
      'DeleteConflictException',
      'ClientException',
      'InvalidParameterException',
      'ValidationException',
    ],
    ec2: 'IncorrectState',
  },
  PermissionDenied: { status: 403, json: ['AccessDeniedException', 'AccessDenied'], ec2: 'UnauthorizedOperation' },
  Unauthenticated: { status: 403, json: ['UnrecognizedClientException'], ec2: 'AuthFailure' },
  ResourceExhausted: {
    status: 400,
    json: ['LimitExceededException', 'ServiceQuotaExceededException'],
    ec2: 'ResourceLimitExceeded',
  },
  Unavailable: { status: 503, json: ['ServiceUnavailableException', 'ServiceUnavailable'], ec2: 'Unavailable' },
  Unimplemented: { status: 501, json: ['UnsupportedOperation'], ec2: 'UnsupportedOperation' },
  Cancelled: { status: 503, json: ['ServiceUnavailable'], ec2: 'Unavailable' },
  DataLoss: { status: 500, json: ['InternalFailure'], ec2: 'InternalError' },
  Internal: { status: 500, json: ['InternalFailure'], ec2: 'InternalError' },
};

function dabbaError(kind: ErrorKind, message: string, call: Call, wire: WireName): AwsError {
  const entry = codes[kind];
  if (wire === 'ec2') return new AwsError(entry.ec2, message, { status: entry.status });
  const own = kind === 'InvalidArgument' ? call.service?.definition.validationCode : undefined;
  const declared = entry.json.find((code) => call.service?.model.errors.has(code));
  const code = own ?? declared ?? entry.json.at(-1)!;
  // A declared error brings its own status.
  return declared === code ? new AwsError(code, message) : new AwsError(code, message, { status: entry.status });
}
