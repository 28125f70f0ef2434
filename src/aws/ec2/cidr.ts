import { isDabbaError } from '#base';
import { formatCidr, parseCidr, type Cidr, type CidrBlock } from '#network';
import { AwsError } from '../errors.ts';

/** The block that a member of a request names; throws `InvalidParameterValue` naming the member. */
export function blockOf(member: string, cidr: string | undefined): CidrBlock {
  try {
    return parseCidr(cidr ?? '');
  } catch (error) {
    if (!isDabbaError(error, 'InvalidArgument')) throw error;
    throw new AwsError(
      'InvalidParameterValue',
      `Value (${cidr}) for parameter ${member} is invalid. This is not a valid CIDR block.`,
    );
  }
}

/** The same in its canonical text, host bits cleared. */
export function cidrOf(member: string, cidr: string | undefined): Cidr {
  return formatCidr(blockOf(member, cidr));
}
