import { isDeepStrictEqual } from 'node:util';
import type { Random } from '#base';
import type { SecurityGroup } from '#network';
import type { Compare, Operation, Versioned } from '#store';
import { mustGet } from './kinds.ts';
import { allIn, keyIn, newId, type Ec2State, type Scope } from './scope.ts';
import { bodyOf, openEgress } from './security-group-rules.ts';
import type { Uses } from './uses.ts';

/** A group that a service makes for its own use. Its name must be unique by what it is made of: nothing compares it with the user's. */
export interface ServiceGroupRequest extends Scope {
  readonly vpcId: string;
  readonly name: string;
  readonly description: string;
  readonly tags: { readonly [key: string]: string };
  /** Who may come in beside its own members. */
  readonly ingress?: readonly ServiceGroupIngress[];
}

export interface ServiceGroupIngress {
  readonly protocol: 'tcp' | 'udp';
  readonly port: number;
  readonly cidr: string;
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
    ingress: ingressOf(random, id, request.ingress ?? []),
    egress: [openEgress(random)],
  };
  return {
    group,
    compare: [records.vpcs.ifPresent(keyIn(request, request.vpcId))],
    success: [records.securityGroups.put(keyIn(request, id), group), uses.touch(request, request.vpcId)],
  };
}

function ingressOf(random: Random, id: string, ingress: readonly ServiceGroupIngress[]): SecurityGroup['ingress'] {
  return [
    { id: newId(random, 'sgr'), protocol: '-1', peer: { kind: 'group', groupId: id }, tags: {} },
    ...ingress.map(({ protocol, port, cidr }) => ({
      id: newId(random, 'sgr'),
      protocol,
      fromPort: port,
      toPort: port,
      peer: { kind: 'cidr' as const, cidr },
      tags: {},
    })),
  ];
}

/** Makes the group of this name so, whatever it was before; a repeated call changes nothing. */
export async function ensureServiceGroup(
  state: Ec2State,
  uses: Uses,
  request: ServiceGroupRequest,
): Promise<SecurityGroup> {
  const { records, random, store } = state;
  for (;;) {
    const seen = await findServiceGroup(state, request);
    if (seen) {
      const wanted = ingressOf(random, seen.value.id, request.ingress ?? []);
      const { value } = await records.securityGroups.update(seen.id, (group) =>
        isDeepStrictEqual(group.ingress.map(bodyOf), wanted.map(bodyOf)) ? group : { ...group, ingress: wanted },
      );
      return value;
    }
    const { group, compare, success } = planServiceGroup(state, uses, request);
    const { succeeded } = await store.txn({ compare, success });
    if (succeeded) return group;
    // Without its VPC nothing can be made; otherwise somebody else was faster, and it is there now.
    await mustGet(records.vpcs, request, 'vpc', request.vpcId);
  }
}

export async function findServiceGroup(
  { records }: Ec2State,
  { account, region, vpcId, name }: Pick<ServiceGroupRequest, 'account' | 'region' | 'vpcId' | 'name'>,
): Promise<Versioned<SecurityGroup> | undefined> {
  const all = await records.securityGroups.list(allIn({ account, region }));
  return all.find(({ value }) => value.vpcId === vpcId && value.name === name);
}
