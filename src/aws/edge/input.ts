import { AwsError } from '../errors.ts';
import { missingMember } from '../wire/index.ts';
import type { WireName } from '../wire/index.ts';
import type { Call } from './call.ts';

/** Fills in the typed input. Throws the service's validation error when a required member is missing. */
export function readInput(call: Call): void {
  const input = call.wireCall!.read();
  const missing = missingMember(call.wireCall!.operation.input, input);
  if (missing !== undefined) throw missingError(missing, call.wire!.name, call.service!.definition.validationCode);
  call.input = input;
}

function missingError(member: string, wire: WireName, validationCode: string | undefined): AwsError {
  if (wire === 'ec2')
    return new AwsError(validationCode ?? 'MissingParameter', `The request must contain the parameter ${member}`, {
      status: 400,
    });
  return new AwsError(
    validationCode ?? (wire === 'query' ? 'ValidationError' : 'InvalidParameterException'),
    `1 validation error detected: Value null at '${member}' failed to satisfy constraint: Member must not be null`,
    { status: 400 },
  );
}
