import { hash } from 'node:crypto';
import type { Clock } from '#base';
import { addressAt, type InternetGateway, type RouteTable, type SecurityGroup, type Subnet, type Vpc } from '#network';
import { Collection } from '#store';
import { AwsError } from '../errors.ts';
import { allIn, keyIn, newId, type Drawing, type Ec2State, type Scope } from './scope.ts';
import { openEgress } from './security-group-rules.ts';
import { zonesOf } from './zones.ts';

export const DEFAULT_VPC_CIDR = '172.31.0.0/16';
/** A /20 holds 4096 addresses. */
const SUBNET_SIZE = 2 ** 12;

/**
 * Makes the default VPC of an account and region the first time it is looked at, as AWS does when it makes the account. A mark beside it
 * remembers that this was done, so that one the user deleted stays deleted. May be called any number of times, from several callers at once.
 */
export async function ensureDefaultVpc(state: Ec2State, scope: Scope): Promise<void> {
  const made = await foreseen(state, scope);
  if (!made) return;
  const { records } = state;
  const marks = marksOf(state);
  await state.store.txn({
    compare: [marks.ifAbsent(markIdOf(scope))],
    success: [
      marks.put(markIdOf(scope), { vpcId: made.vpc.id }),
      records.vpcs.put(keyIn(scope, made.vpc.id), made.vpc),
      ...made.subnets.map((subnet) => records.subnets.put(keyIn(scope, subnet.id), subnet)),
      records.internetGateways.put(keyIn(scope, made.gateway.id), made.gateway),
      records.routeTables.put(keyIn(scope, made.routeTable.id), made.routeTable),
      records.securityGroups.put(keyIn(scope, made.securityGroup.id), made.securityGroup),
    ],
  });
}

function marksOf({ store }: Ec2State): Collection<{ readonly vpcId: string }> {
  return new Collection(store, 'ec2/defaults/');
}

const markIdOf = ({ account, region }: Scope) => `${account}/${region}/vpc`;

/** What `ensureDefaultVpc` will make of a scope, if it has not: permission is asked for it before anything is written. */
async function foreseen(state: Ec2State, scope: Scope): Promise<ReturnType<typeof defaultVpc> | undefined> {
  return (await marksOf(state).get(markIdOf(scope))) ? undefined : defaultVpc(state, scope);
}

/** A foreseen VPC, subnet or security group. */
export async function foreseenRecord(
  state: Ec2State,
  scope: Scope,
  id: string,
): Promise<Vpc | Subnet | SecurityGroup | undefined> {
  const made = await foreseen(state, scope);
  return made && [made.vpc, ...made.subnets, made.securityGroup].find((one) => one.id === id);
}

/** The default VPC of a scope, be it foreseen, if the user has not deleted it. */
export async function findDefaultVpc(state: Ec2State, scope: Scope): Promise<Vpc | undefined> {
  const made = await foreseen(state, scope);
  const vpcs = await withForeseen(state.records.vpcs, scope, made ? [made.vpc] : []);
  return vpcs.find(({ isDefault }) => isDefault);
}

/** The subnet of those who name none, of the zone if they name that. Throws `MissingInput` where the default VPC has none. */
export async function defaultSubnet(state: Ec2State, scope: Scope, zone: string | undefined): Promise<string> {
  const vpc = await findDefaultVpc(state, scope);
  const found = (await subnetsOf(state, scope))
    .filter(({ vpcId, isDefaultForZone }) => isDefaultForZone && vpcId === vpc?.id)
    .find((subnet) => !zone || zone === subnet.zone);
  if (!found) throw new AwsError('MissingInput', 'No subnets found for the default VPC. Please specify a subnet.');
  return found.id;
}

/** The group `default` of a subnet's VPC, which those have who name none; nothing if there is no such subnet. */
export async function defaultGroups(state: Ec2State, scope: Scope, subnetId: string): Promise<readonly string[]> {
  const subnet = (await subnetsOf(state, scope)).find(({ id }) => id === subnetId);
  const groups = (await securityGroupsOf(state, scope)).filter(
    ({ vpcId, name }) => vpcId === subnet?.vpcId && name === 'default',
  );
  return groups.map(({ id }) => id);
}

async function subnetsOf(state: Ec2State, scope: Scope): Promise<readonly Subnet[]> {
  const made = await foreseen(state, scope);
  return await withForeseen(state.records.subnets, scope, made?.subnets ?? []);
}

/** The groups of a scope, with the one that is foreseen. */
export async function securityGroupsOf(state: Ec2State, scope: Scope): Promise<readonly SecurityGroup[]> {
  const made = await foreseen(state, scope);
  return await withForeseen(state.records.securityGroups, scope, made ? [made.securityGroup] : []);
}

/** What is there, and what was foreseen before and has not been made meanwhile. */
async function withForeseen<T extends { readonly id: string }>(
  collection: Collection<T>,
  scope: Scope,
  expected: readonly T[],
): Promise<readonly T[]> {
  const there = (await collection.list(allIn(scope))).map(({ value }) => value);
  return [...there, ...expected.filter(({ id }) => !there.some((one) => one.id === id))];
}

/** Whatever is made of the same scope with the same seed has the same ids. */
function defaultVpc({ clock, seed }: Ec2State, scope: Scope) {
  const random = drawnFrom(`${seed}/${scope.account}/${scope.region}`);
  const owned = (prefix: string) => ({
    id: newId(random, prefix),
    tenant: scope.account,
    region: scope.region,
    tags: {},
    createdAt: clock.now(),
  });
  const vpc: Vpc = {
    ...owned('vpc'),
    cidr: DEFAULT_VPC_CIDR,
    isDefault: true,
    enableDnsSupport: true,
    enableDnsHostnames: true,
  };
  const subnets: Subnet[] = zonesOf(scope.region).map((zone, index) => ({
    ...owned('subnet'),
    vpcId: vpc.id,
    zone,
    cidr: `${addressAt(DEFAULT_VPC_CIDR, index * SUBNET_SIZE)}/20`,
    isDefaultForZone: true,
    mapPublicIpOnLaunch: true,
  }));
  const gateway: InternetGateway = { ...owned('igw'), vpcId: vpc.id };
  const routeTable: RouteTable = {
    ...mainRouteTable({ random, clock }, scope, vpc),
    routes: [
      { destination: vpc.cidr, target: { kind: 'local' } },
      { destination: '0.0.0.0/0', target: { kind: 'internet-gateway', id: gateway.id } },
    ],
  };
  return { vpc, subnets, gateway, routeTable, securityGroup: defaultSecurityGroup({ random, clock }, scope, vpc.id) };
}

function drawnFrom(seed: string): Drawing {
  let count = 0;
  return { hex: (length) => hash('sha256', `${seed}/${count++}`, 'hex').slice(0, length) };
}

interface Making {
  readonly random: Drawing;
  readonly clock: Clock;
}

/** The main route table that every VPC is born with. */
export function mainRouteTable({ random, clock }: Making, scope: Scope, vpc: Vpc): RouteTable {
  return {
    id: newId(random, 'rtb'),
    tenant: scope.account,
    region: scope.region,
    tags: {},
    createdAt: clock.now(),
    vpcId: vpc.id,
    isMain: true,
    mainAssociationId: newId(random, 'rtbassoc'),
    routes: [{ destination: vpc.cidr, target: { kind: 'local' } }],
    associations: [],
  };
}

/** The group `default` that every VPC is born with: everything from its own members in, everything out. */
export function defaultSecurityGroup({ random, clock }: Making, scope: Scope, vpcId: string): SecurityGroup {
  const id = newId(random, 'sg');
  return {
    id,
    tenant: scope.account,
    region: scope.region,
    tags: {},
    createdAt: clock.now(),
    vpcId,
    name: 'default',
    description: 'default VPC security group',
    ingress: [{ id: newId(random, 'sgr'), protocol: '-1', peer: { kind: 'group', groupId: id }, tags: {} }],
    egress: [openEgress(random)],
  };
}
