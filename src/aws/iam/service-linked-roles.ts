import { AwsError } from '../errors.ts';
import { mustExist } from './checks.ts';
import { newId, noSuchEntity } from './names.ts';
import type { IamHandlers, IamParts } from './parts.ts';
import type { RoleRecord } from './records.ts';
import { describe } from './roles.ts';
import { linkedServices, SERVICE_LINKED_PATH } from './service-linked-policies.ts';

/** Roles that services have in an account: IAM User Guide, "Service-linked roles". */
export function serviceLinkedRoleHandlers({ directory, clock, random }: IamParts): IamHandlers {
  const { roles } = directory;
  return {
    async CreateServiceLinkedRole(input, { account }) {
      const service = input.AWSServiceName!;
      const known = Object.hasOwn(linkedServices, service) ? linkedServices[service] : undefined;
      if (!known)
        throw new AwsError('UnsupportedOperation', `Service-linked roles of ${service} are not supported.`, {
          status: 501,
        });
      if (input.CustomSuffix)
        throw new AwsError('InvalidInputException', `Custom suffix is not allowed for ${service}`);
      if (roles.get(account, known.role))
        throw new AwsError(
          'InvalidInputException',
          `Service role name ${known.role} has been taken in this account, please try a different suffix.`,
        );
      const principal = { Effect: 'Allow', Principal: { Service: service }, Action: 'sts:AssumeRole' };
      const role: RoleRecord = {
        account,
        name: known.role,
        path: `${SERVICE_LINKED_PATH}${service}/`,
        id: newId(random, 'AROA'),
        createdAt: clock.now(),
        tags: {},
        inlinePolicies: {},
        attachedPolicies: [known.policy.arn],
        trustPolicy: JSON.stringify({ Version: '2012-10-17', Statement: [principal] }),
        maxSessionSeconds: 3600,
        ...(input.Description !== undefined && { description: input.Description }),
      };
      await roles.create(role);
      return { Role: describe(role) };
    },

    async DeleteServiceLinkedRole(input, { account }) {
      const { name, path } = mustExist(roles.get(account, input.RoleName!), 'role', input.RoleName!);
      if (!path.startsWith(SERVICE_LINKED_PATH)) throw noSuchEntity('service-linked role', name);
      await roles.delete(account, name);
      return { DeletionTaskId: `task${path}${name}/${random.uuid()}` };
    },

    /** A deletion is done when its task is known. */
    GetServiceLinkedRoleDeletionStatus(input, { account }) {
      const [, name = ''] = /^task\/aws-service-role\/[^/]+\/([^/]+)\/[0-9a-f-]{36}$/.exec(input.DeletionTaskId!) ?? [];
      if (!name) throw noSuchEntity('deletion task', input.DeletionTaskId!);
      return { Status: roles.get(account, name) ? 'NOT_STARTED' : 'SUCCEEDED' };
    },
  };
}
