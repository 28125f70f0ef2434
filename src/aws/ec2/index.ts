import type { Clock, Logger, Random } from '#base';
import {
  networkRecords,
  routeTableOf,
  type NetworkInterface,
  type SecurityGroup,
  type Subnet,
  type Vpc,
} from '#network';
import type { Reconciler } from '#reconcile';
import type { Operation, Store } from '#store';
import type { Identities } from '../auth/index.ts';
import { defineService, type ServiceDefinition } from '../service.ts';
import { addressHandlers } from './addresses.ts';
import { ensureDefaultVpc, findDefaultVpc, foreseenRecord } from './default-vpc.ts';
import {
  ensureServiceGroup,
  findServiceGroup,
  planServiceGroup,
  type PlannedGroup,
  type ServiceGroupRequest,
} from './group-plans.ts';
import { guarded } from './guard.ts';
import { Interfaces, type InterfaceRequest, type PlannedInterface } from './interfaces.ts';
import { imageHandlers } from './images.ts';
import { instanceAttributeHandlers } from './instance-attributes.ts';
import { instanceHandlers, type InstanceProfiles } from './instance-handlers.ts';
import { instanceOfferingHandlers } from './instance-offerings.ts';
import { instanceReconciler } from './instance-reconciler.ts';
import { Instances } from './instances.ts';
import { interfaceAt } from './interface-addresses.ts';
import { internetGatewayHandlers } from './internet-gateways.ts';
import { mustGet } from './kinds.ts';
import { launchTemplateHandlers } from './launch-templates/handlers.ts';
import { launchTemplates, type LaunchTemplates } from './launch-templates/launch-templates.ts';
import { templateCollections } from './launch-templates/records.ts';
import { createMetadataServer, type MetadataServer } from './metadata/server.ts';
import { natGatewayHandlers } from './nat-gateways.ts';
import { networkAclHandlers } from './network-acls.ts';
import { networkInterfaceHandlers } from './network-interfaces.ts';
import { conditionsFrom } from './permissions/conditions.ts';
import { permissions } from './permissions/permissions.ts';
import { resolveInput } from './permissions/resolve.ts';
import { routeTableHandlers } from './route-tables.ts';
import { allIn, keyIn, type Ec2State, type Scope } from './scope.ts';
import { securityGroupChangeHandlers } from './security-group-changes.ts';
import { securityGroupRuleChangeHandlers } from './security-group-rule-changes.ts';
import { groupWrites } from './security-group-writes.ts';
import { securityGroupHandlers } from './security-groups.ts';
import { subnetHandlers } from './subnets.ts';
import { recordOf, tagHandlers } from './tags.ts';
import { Uses } from './uses.ts';
import { vpcHandlers } from './vpcs.ts';
import { zoneHandlers } from './zones.ts';

export { privateDnsName } from './dns-names.ts';
export { findInstanceType, maxPodsOf, type InstanceType } from './instance-types.ts';
export type { PlannedGroup, ServiceGroupRequest } from './group-plans.ts';
export type { InstanceProfiles } from './instance-handlers.ts';
export type { InstanceRecord } from './instance-records.ts';
export type { InstanceRequest, Instances, PlannedInstance } from './instances.ts';
export { lightImageId } from './images.ts';
export type { LaunchTemplates } from './launch-templates/launch-templates.ts';
export { metadataOptions, type MetadataOptions } from './metadata/options.ts';
export type { MetadataServer } from './metadata/server.ts';
export { unbuiltMember } from './unbuilt.ts';
export type { InterfaceRequest, PlannedInterface } from './interfaces.ts';
export type { Scope } from './scope.ts';

/**
 * What other services ask of the VPC: the API's records without its wire. Unknown ids throw EC2's own `AwsError` (`InvalidSubnetID.NotFound`).
 * What begins with `plan` only reads and hands back the parts of a transaction, so that a service can make an interface together with
 * whatever it is for.
 */
export interface VpcNetwork {
  /** Makes the scope's default VPC the first time; afterwards it costs one read. */
  ensureDefaultVpc(scope: Scope): Promise<void>;
  /** Undefined when the user deleted it. */
  defaultVpc(scope: Scope): Promise<Vpc | undefined>;
  vpc(scope: Scope, id: string): Promise<Vpc>;
  subnet(scope: Scope, id: string): Promise<Subnet>;
  /** Every subnet of the scope. */
  subnets(scope: Scope): Promise<readonly Subnet[]>;
  /** True if what has a public address in the subnet reaches the internet, and is reached from it. */
  isPublic(subnet: Subnet): Promise<boolean>;
  securityGroups(scope: Scope, ids: readonly string[]): Promise<readonly SecurityGroup[]>;
  defaultSecurityGroup(scope: Scope, vpcId: string): Promise<SecurityGroup>;
  /** A group that a service makes for its own members: they reach one another and everything outside. */
  planSecurityGroup(request: ServiceGroupRequest): PlannedGroup;
  /** Makes a service's group so, found by its name; a repeated call changes nothing. */
  ensureSecurityGroup(request: ServiceGroupRequest): Promise<SecurityGroup>;
  /** A service's group by its name. */
  findSecurityGroup(
    scope: Scope & { readonly vpcId: string; readonly name: string },
  ): Promise<SecurityGroup | undefined>;
  /** Deleting an absent group succeeds; that nothing uses it any more is the service's own knowledge. */
  planDeleteSecurityGroup(scope: Scope, id: string): readonly Operation[];
  /** The interface that has an address in a VPC, whosever it is. */
  interfaceAt(vpcId: string, privateIp: string): Promise<NetworkInterface | undefined>;
  /** The interface, or undefined. */
  findInterface(scope: Scope, id: string): Promise<NetworkInterface | undefined>;
  createInterface(request: InterfaceRequest): Promise<NetworkInterface>;
  planInterface(request: InterfaceRequest): Promise<PlannedInterface>;
  attachInterface(scope: Scope, id: string, nodeId: string): Promise<NetworkInterface>;
  /** Deleting an absent interface succeeds. */
  deleteInterface(scope: Scope, id: string): Promise<void>;
  planDeleteInterface(scope: Scope, id: string): Promise<readonly Operation[]>;
}

export interface Ec2Options {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  /** Pool of public addresses, `198.18.0.0/16`. */
  readonly publicCidr: string;
  readonly logger: Logger;
  /** Default: there are none. */
  readonly instanceProfiles?: InstanceProfiles;
  /** Where the sessions of instances' roles come from. Default: nowhere. */
  readonly identities?: Pick<Identities, 'issueRoleSession' | 'describeRole'>;
}

/** Those whose input has a `ClientToken`: Amazon EC2 Developer Guide, "Ensuring idempotency in Amazon EC2 API requests". */
const tokenOperations = [
  'CreateLaunchTemplate',
  'CreateLaunchTemplateVersion',
  'CreateNatGateway',
  'CreateNetworkInterface',
  'CreateRouteTable',
  'RunInstances',
];

/** The EC2 service and what it offers to other services. */
export function createEc2(options: Ec2Options): {
  readonly definition: ServiceDefinition;
  readonly network: VpcNetwork;
  readonly instances: Instances;
  readonly launchTemplates: LaunchTemplates;
  /** What answers at 169.254.169.254. */
  readonly metadata: MetadataServer;
  /** To be run by the one loop; each may run again at any time. */
  readonly reconcilers: readonly Reconciler[];
} {
  const state: Ec2State = { ...options, seed: options.random.hex(32), records: networkRecords(options.store) };
  const uses = new Uses(options.store);
  const interfaces = new Interfaces(state, uses);
  const instances = new Instances(state, interfaces);
  const network = vpcNetwork(state, interfaces, uses);
  const collections = templateCollections(options.store);
  const templates = launchTemplates(collections);
  const profiles = options.instanceProfiles ?? (() => undefined);
  const others = { instance: instances.records, 'launch-template': collections.templates };
  const groups = groupWrites(state, uses);
  const handlers = {
    ...vpcHandlers(state, uses),
    ...subnetHandlers(state, uses),
    ...securityGroupHandlers(state, uses),
    ...securityGroupChangeHandlers(state, groups),
    ...securityGroupRuleChangeHandlers(state, groups),
    ...networkAclHandlers(state),
    ...networkInterfaceHandlers(state, interfaces, uses),
    ...instanceHandlers({ state, instances, profiles, templates }),
    ...instanceAttributeHandlers(state, instances, uses),
    ...instanceOfferingHandlers(instances),
    ...launchTemplateHandlers(state, collections),
    ...imageHandlers,
    ...internetGatewayHandlers(state, uses),
    ...natGatewayHandlers(state, interfaces, uses),
    ...routeTableHandlers(state, uses),
    ...addressHandlers(state, instances),
    ...tagHandlers(state, others),
    ...zoneHandlers(async (scope) => (await network.defaultVpc(scope))?.id),
  };
  const stored = recordOf(state.records, others);
  const conditions = conditionsFrom(
    async (scope, kind, id) => (await stored(scope, kind, id)) ?? (await foreseenRecord(state, scope, id)),
  );
  const definition = defineService<typeof import('@aws-sdk/client-ec2')>({
    name: 'ec2',
    signingNames: ['ec2'],
    eventSource: 'ec2.amazonaws.com',
    loadSdk: () => import('@aws-sdk/client-ec2'),
    idempotency: Object.fromEntries(tokenOperations.map((name) => [name, 'IdempotentParameterMismatch'])),
    handlers: guarded(handlers, (context) => network.ensureDefaultVpc(context)),
    resolve: async (operation, input, context) =>
      await resolveInput({ state, templates }, { operation, input }, context),
    permissions: async (operation, input, context) =>
      await permissions({ templates, conditions, profiles }, { operation, input }, context),
  });
  const reconcilers = [instanceReconciler({ store: options.store, clock: options.clock, instances, interfaces })];
  const metadata = createMetadataServer({
    ...options,
    instances,
    profiles,
    records: state.records,
    identities: options.identities ?? noSessions,
  });
  return { definition, network, instances, launchTemplates: templates, metadata, reconcilers };
}

const noSessions: Pick<Identities, 'issueRoleSession' | 'describeRole'> = {
  issueRoleSession: async () => await Promise.reject(new Error('no identities were given')),
  describeRole: async () => await Promise.resolve(undefined),
};

function vpcNetwork(state: Ec2State, interfaces: Interfaces, uses: Uses): VpcNetwork {
  const { records } = state;
  return {
    ensureDefaultVpc: (scope) => ensureDefaultVpc(state, scope),
    defaultVpc: (scope) => findDefaultVpc(state, scope),
    vpc: async (scope, id) => (await mustGet(records.vpcs, scope, 'vpc', id)).value,
    subnet: async (scope, id) => (await mustGet(records.subnets, scope, 'subnet', id)).value,
    subnets: async (scope) => (await records.subnets.list(allIn(scope))).map(({ value }) => value),
    async isPublic(subnet) {
      const tables = await records.routeTables.list(allIn({ account: subnet.tenant, region: subnet.region }));
      const table = routeTableOf(
        subnet,
        tables.map(({ value }) => value),
      );
      return table?.routes.some(({ target }) => target.kind === 'internet-gateway') ?? false;
    },
    securityGroups: (scope, ids) =>
      Promise.all(ids.map(async (id) => (await mustGet(records.securityGroups, scope, 'security-group', id)).value)),
    async defaultSecurityGroup(scope, vpcId) {
      const groups = await records.securityGroups.list(allIn(scope));
      const group = groups.find(({ value }) => value.vpcId === vpcId && value.name === 'default');
      if (!group) throw new Error(`VPC ${vpcId} has no default security group`);
      return group.value;
    },
    planSecurityGroup: (request) => planServiceGroup(state, uses, request),
    ensureSecurityGroup: (request) => ensureServiceGroup(state, uses, request),
    findSecurityGroup: async (named) => (await findServiceGroup(state, named))?.value,
    planDeleteSecurityGroup: (scope, id) => [records.securityGroups.remove(keyIn(scope, id))],
    interfaceAt: (vpcId, privateIp) => interfaceAt(records, vpcId, privateIp),
    findInterface: async (scope, id) => (await records.networkInterfaces.get(keyIn(scope, id)))?.value,
    createInterface: (request) => interfaces.create(request),
    planInterface: (request) => interfaces.plan(request),
    attachInterface: (scope, id, nodeId) => interfaces.attach(scope, id, nodeId),
    deleteInterface: (scope, id) => interfaces.delete(scope, id),
    planDeleteInterface: (scope, id) => interfaces.planDelete(scope, id),
  };
}
