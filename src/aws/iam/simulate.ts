import { formatArn } from '#base';
import type { Principal } from '../auth/index.ts';
import { AwsError } from '../errors.ts';
import type { ConditionContext } from '../service.ts';
import type { Directory } from './directory.ts';
import { findRole, rolePrincipal } from './identities.ts';
import { entityArn, noSuchEntity } from './names.ts';
import { iamPage, type IamHandlers, type IamParts } from './parts.ts';

/** Asks the very authorizer that decides real calls. */
export function simulateHandlers({ directory, authorizer }: IamParts): IamHandlers {
  return {
    async SimulatePrincipalPolicy(input, { account }) {
      if (
        input.PolicyInputList?.length ||
        input.PermissionsBoundaryPolicyInputList?.length ||
        input.ResourcePolicy !== undefined
      )
        throw new AwsError('UnsupportedOperation', 'dabba does not simulate policies given in the call yet.', {
          status: 501,
        });
      const principal = principalOf(directory, input.PolicySourceArn!, account);
      const context: ConditionContext = Object.fromEntries(
        (input.ContextEntries ?? []).map((entry) => [entry.ContextKeyName ?? '', entry.ContextKeyValues ?? []]),
      );
      const resources = input.ResourceArns?.length ? input.ResourceArns : ['*'];
      const pairs = input.ActionNames!.flatMap((action) => resources.map((resource) => ({ action, resource })));
      const results = await Promise.all(
        pairs.map(async ({ action, resource }) => ({
          EvalActionName: action,
          EvalResourceName: resource,
          EvalDecision: (await authorizer.decide({ principal, action, resource, context, account })).decision,
          MatchedStatements: [],
          MissingContextValues: [],
        })),
      );
      const keyed = results.map((result, index) => ({ result, key: String(index).padStart(6, '0') }));
      const { items, marks } = iamPage(keyed, input, ({ key }) => key);
      return { EvaluationResults: items.map(({ result }) => result), ...marks };
    },
  };
}

function principalOf(directory: Directory, arn: string, account: string): Principal {
  const match = /^arn:aws:iam::(\d{12}):user\/(?:.*\/)?([^/]+)$/.exec(arn);
  const user = match?.[1] === account ? directory.users.get(account, match[2]!) : undefined;
  if (user)
    return {
      kind: 'user',
      account: user.account,
      arn: entityArn('user', user),
      principalId: user.id,
      accessKeyId: '',
      userName: user.name,
    };
  const role = findRole(directory, arn);
  if (role?.account !== account) throw noSuchEntity('entity', arn);
  const session = rolePrincipal(role, { sessionName: 'simulated', sessionPolicies: [], issuedAt: 0 });
  // The simulator speaks of the role itself.
  return {
    ...session,
    arn: formatArn({ service: 'iam', region: '', account, resource: `role${role.path}${role.name}` }),
  };
}
