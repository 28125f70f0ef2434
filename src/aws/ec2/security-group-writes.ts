import type { IpPermission } from '@aws-sdk/client-ec2';
import type { SecurityGroup } from '#network';
import type { Versioned } from '#store';
import { AwsError } from '../errors.ts';
import { mustGet } from './kinds.ts';
import { allIn, keyIn, type Ec2State, type Scope } from './scope.ts';
import { rulesOf, type RuleBody, type Shorthand } from './security-group-rules.ts';
import type { Uses } from './uses.ts';

const ATTEMPTS = 32;

/** What a group becomes, and those of its rules that may name other groups anew. */
export interface GroupChange {
  readonly group: SecurityGroup;
  readonly rules?: readonly RuleBody[];
}

export type GroupWrites = ReturnType<typeof groupWrites>;

/** How the rules of security groups are changed. */
export function groupWrites({ records, store }: Ec2State, uses: Uses) {
  const { securityGroups } = records;
  return {
    /** The rules that a request names for a group; those that they name by name are of its VPC. */
    async rulesFor(
      scope: Scope,
      { vpcId }: SecurityGroup,
      input: Shorthand & { readonly IpPermissions?: readonly IpPermission[] | undefined },
    ): Promise<RuleBody[]> {
      const groups = (await securityGroups.list(allIn(scope))).map(({ value }) => value);
      return rulesOf(input, (name) => {
        const found = groups.find((other) => other.vpcId === vpcId && other.name === name);
        if (!found) throw new AwsError('InvalidGroup.NotFound', `The security group '${name}' does not exist`);
        return found.id;
      });
    },

    /** Changes the group that `find` gives until nobody else was faster; groups that its rules name learn that they are used. */
    async change(
      scope: Scope,
      find: () => Promise<Versioned<SecurityGroup>>,
      next: (group: SecurityGroup) => Promise<GroupChange> | GroupChange,
    ): Promise<{ readonly before: SecurityGroup; readonly after: SecurityGroup }> {
      for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
        const seen = await find();
        const { group, rules = [] } = await next(seen.value);
        const peers = new Set(rules.flatMap(({ peer }) => (peer.kind === 'group' ? [peer.groupId] : [])));
        const others = [...peers].filter((id) => id !== group.id);
        for (const id of others) await mustGet(securityGroups, scope, 'security-group', id);
        const { succeeded } = await store.txn({
          compare: [
            securityGroups.ifUnchanged(seen),
            ...others.map((id) => securityGroups.ifPresent(keyIn(scope, id))),
          ],
          success: [securityGroups.put(seen.id, group), ...others.map((id) => uses.touch(scope, id))],
        });
        if (succeeded) return { before: seen.value, after: group };
      }
      throw new AwsError(
        'RequestLimitExceeded',
        'The security group changes faster than the request can be carried out.',
      );
    },
  };
}
