import { isArn } from '#base';
import type { CallContext } from '../service.ts';
import { clientException } from './names.ts';

/** The caller hands these roles to ECS tasks and needs `iam:PassRole` on each. Throws what the service words for the refusal. */
export async function passRoles(context: CallContext, roles: readonly (string | undefined)[]): Promise<void> {
  for (const role of new Set(roles)) {
    if (role === undefined) continue;
    const arn = isArn(role) ? role : `arn:aws:iam::${context.account}:role/${role}`;
    if (!/^arn:[^:]+:iam::\d{12}:role\/.+$/.test(arn)) throw clientException(`Invalid IAM role ARN: ${role}`);
    await context.authorize('iam:PassRole', arn, { 'iam:PassedToService': 'ecs-tasks.amazonaws.com' });
  }
}
