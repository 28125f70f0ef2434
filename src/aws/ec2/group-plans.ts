import type { SecurityGroup } from '#network';
import type { Compare, Operation } from '#store';
import { keyIn, newId, type Ec2State, type Scope } from './scope.ts';
import { openEgress } from './security-group-rules.ts';
import type { Uses } from './uses.ts';

/** A group that a service makes for its own use. Its name must be unique by what it is made of: nothing compares it with the user's. */
export interface ServiceGroupRequest extends Scope {
  readonly vpcId: string;
  readonly name: string;
  readonly description: string;
  readonly tags: { readonly [key: string]: string };
}

/** A group that is not there yet, and what a transaction must compare and write for it to be. */
export interface PlannedGroup {
  readonly group: SecurityGroup;
  readonly compare: readonly Compare[];
  readonly success: readonly Operation[];
}

/** A group whose members reach one another and everything outside. */
export function planServiceGroup(state: Ec2State, uses: Uses, request: ServiceGroupRequest): PlannedGroup {
  const { random, clock, records } = state;
  const id = newId(random, 'sg');
  const group: SecurityGroup = {
    id,
    tenant: request.account,
    region: request.region,
    tags: request.tags,
    createdAt: clock.now(),
    vpcId: request.vpcId,
    name: request.name,
    description: request.description,
    ingress: [{ id: newId(random, 'sgr'), protocol: '-1', peer: { kind: 'group', groupId: id }, tags: {} }],
    egress: [openEgress(random)],
  };
  return {
    group,
    compare: [records.vpcs.ifPresent(keyIn(request, request.vpcId))],
    success: [records.securityGroups.put(keyIn(request, id), group), uses.touch(request, request.vpcId)],
  };
}
