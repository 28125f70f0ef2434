import { parseArn } from '#base';
import type { CallContext } from '../service.ts';
import { invalidParameter } from './names.ts';

/** The caller hands a role to a service of EKS and needs `iam:PassRole` on it. */
export async function passRole(context: CallContext, roleArn: string, service = 'eks.amazonaws.com'): Promise<void> {
  if (!/^arn:[^:]+:iam::\d{12}:role\/.+$/.test(roleArn)) throw invalidParameter(`The role ARN ${roleArn} is invalid.`);
  if (parseArn(roleArn).account !== context.account)
    throw invalidParameter(`The role ${roleArn} belongs to another account.`);
  await context.authorize('iam:PassRole', roleArn, { 'iam:PassedToService': service });
}
