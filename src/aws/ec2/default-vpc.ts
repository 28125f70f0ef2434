import { addressAt, type InternetGateway, type RouteTable, type SecurityGroup, type Subnet, type Vpc } from '#network';
import { Collection } from '#store';
import { AwsError } from '../errors.ts';
import { allIn, keyIn, newId, type Ec2State, type Scope } from './scope.ts';
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
  const marks = new Collection<{ readonly vpcId: string }>(state.store, 'ec2/defaults/');
  const markId = `${scope.account}/${scope.region}/vpc`;
  if (await marks.get(markId)) return;
  const made = defaultVpc(state, scope);
  const { records } = state;
  await state.store.txn({
    compare: [marks.ifAbsent(markId)],
    success: [
      marks.put(markId, { vpcId: made.vpc.id }),
      records.vpcs.put(keyIn(scope, made.vpc.id), made.vpc),
      ...made.subnets.map((subnet) => records.subnets.put(keyIn(scope, subnet.id), subnet)),
      records.internetGateways.put(keyIn(scope, made.gateway.id), made.gateway),
      records.routeTables.put(keyIn(scope, made.routeTable.id), made.routeTable),
      records.securityGroups.put(keyIn(scope, made.securityGroup.id), made.securityGroup),
    ],
  });
}

/** The default VPC of a scope, if the user has not deleted it. */
export async function findDefaultVpc(state: Ec2State, scope: Scope): Promise<Vpc | undefined> {
  const vpcs = await state.records.vpcs.list(allIn(scope));
  return vpcs.find(({ value }) => value.isDefault)?.value;
}

/** The subnet of those who name none, of the zone if they name that. Throws `MissingInput` where the default VPC has none. */
export async function defaultSubnet(state: Ec2State, scope: Scope, zone: string | undefined): Promise<string> {
  const vpc = await findDefaultVpc(state, scope);
  const subnets = (await state.records.subnets.list(allIn(scope))).map(({ value }) => value);
  const found = subnets
    .filter(({ vpcId, isDefaultForZone }) => isDefaultForZone && vpcId === vpc?.id)
    .find((subnet) => !zone || zone === subnet.zone);
  if (!found) throw new AwsError('MissingInput', 'No subnets found for the default VPC. Please specify a subnet.');
  return found.id;
}

function defaultVpc(state: Ec2State, scope: Scope) {
  const { random, clock } = state;
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
    ...mainRouteTable(state, scope, vpc),
    routes: [
      { destination: vpc.cidr, target: { kind: 'local' } },
      { destination: '0.0.0.0/0', target: { kind: 'internet-gateway', id: gateway.id } },
    ],
  };
  return { vpc, subnets, gateway, routeTable, securityGroup: defaultSecurityGroup(state, scope, vpc.id) };
}

/** The main route table that every VPC is born with. */
export function mainRouteTable({ random, clock }: Ec2State, scope: Scope, vpc: Vpc): RouteTable {
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
export function defaultSecurityGroup({ random, clock }: Ec2State, scope: Scope, vpcId: string): SecurityGroup {
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
