import type { Route as ApiRoute, RouteTable as ApiTable } from '@aws-sdk/client-ec2';
import {
  cidrContains,
  type InternetGateway,
  type NatGateway,
  type NetworkInterface,
  type Route,
  type RouteTable,
} from '#network';
import { AwsError } from '../errors.ts';
import type { Handlers } from '../service.ts';
import { cidrOf } from './cidr.ts';
import { select } from './describe.ts';
import type { FilterFields } from './filters.ts';
import { mustGet, notFound } from './kinds.ts';
import { allIn, keyIn, newId, type Ec2State, type Scope } from './scope.ts';
import { tagsFor, toTags } from './tags.ts';
import type { Uses } from './uses.ts';

const fields: FilterFields<RouteTable> = {
  'route-table-id': (table) => table.id,
  'vpc-id': (table) => table.vpcId,
  'owner-id': (table) => table.tenant,
  'association.main': (table) => table.isMain,
  'association.route-table-id': (table) => table.id,
  'association.route-table-association-id': (table) => [
    ...table.associations.map(({ id }) => id),
    ...(table.mainAssociationId ? [table.mainAssociationId] : []),
  ],
  'association.subnet-id': (table) => table.associations.map(({ subnetId }) => subnetId),
  'route.destination-cidr-block': (table) => table.routes.map(({ destination }) => destination),
  'route.gateway-id': (table) => table.routes.map((route) => gatewayId(route)),
  'route.nat-gateway-id': (table) =>
    table.routes.map(({ target }) => (target.kind === 'nat-gateway' ? target.id : undefined)),
  'route.origin': (table) =>
    table.routes.map(({ target }) => (target.kind === 'local' ? 'CreateRouteTable' : 'CreateRoute')),
  'route.state': () => 'active',
};

function gatewayId({ target }: Route): string | undefined {
  if (target.kind === 'local') return 'local';
  return target.kind === 'internet-gateway' ? target.id : undefined;
}

/** What routes may point to, as it is now: a target that went away makes its routes black holes. */
interface Targets {
  readonly gateways: readonly InternetGateway[];
  readonly nats: readonly NatGateway[];
  readonly interfaces: readonly NetworkInterface[];
}

function isBlackhole({ target }: Route, vpcId: string, { gateways, nats, interfaces }: Targets): boolean {
  if (target.kind === 'local') return false;
  if (target.kind === 'internet-gateway')
    return !gateways.some((gateway) => gateway.id === target.id && gateway.vpcId === vpcId);
  if (target.kind === 'nat-gateway')
    return !nats.some(({ id, deletedAt }) => id === target.id && deletedAt === undefined);
  return !interfaces.some(({ id }) => id === target.id);
}

function toTable(table: RouteTable, targets: Targets): ApiTable {
  const toRoute = (route: Route): ApiRoute => ({
    DestinationCidrBlock: route.destination,
    GatewayId: gatewayId(route),
    NatGatewayId: route.target.kind === 'nat-gateway' ? route.target.id : undefined,
    NetworkInterfaceId: route.target.kind === 'network-interface' ? route.target.id : undefined,
    Origin: route.target.kind === 'local' ? 'CreateRouteTable' : 'CreateRoute',
    State: isBlackhole(route, table.vpcId, targets) ? 'blackhole' : 'active',
  });
  const main = table.mainAssociationId
    ? [
        {
          Main: true,
          RouteTableAssociationId: table.mainAssociationId,
          RouteTableId: table.id,
          AssociationState: { State: 'associated' as const },
        },
      ]
    : [];
  return {
    RouteTableId: table.id,
    OwnerId: table.tenant,
    VpcId: table.vpcId,
    Routes: table.routes.map(toRoute),
    Associations: [
      ...main,
      ...table.associations.map(({ id, subnetId }) => ({
        Main: false,
        RouteTableAssociationId: id,
        RouteTableId: table.id,
        SubnetId: subnetId,
        AssociationState: { State: 'associated' as const },
      })),
    ],
    PropagatingVgws: [],
    Tags: toTags(table.tags),
  };
}

export function routeTableHandlers(state: Ec2State, uses: Uses) {
  const { records, random, clock } = state;

  async function targetsIn(scope: Scope): Promise<Targets> {
    const [gateways, nats, interfaces] = await Promise.all([
      records.internetGateways.list(allIn(scope)),
      records.natGateways.list(allIn(scope)),
      records.networkInterfaces.list(allIn(scope)),
    ]);
    return {
      gateways: gateways.map(({ value }) => value),
      nats: nats.map(({ value }) => value),
      interfaces: interfaces.map(({ value }) => value),
    };
  }

  return {
    async CreateRouteTable(input, context) {
      const vpc = await mustGet(records.vpcs, context, 'vpc', input.VpcId);
      const table: RouteTable = {
        id: newId(random, 'rtb'),
        tenant: context.account,
        region: context.region,
        tags: tagsFor('route-table', input.TagSpecifications),
        createdAt: clock.now(),
        vpcId: vpc.value.id,
        isMain: false,
        routes: [{ destination: vpc.value.cidr, target: { kind: 'local' } }],
        associations: [],
      };
      const output = { RouteTable: toTable(table, { gateways: [], nats: [], interfaces: [] }) };
      await uses.add(context, vpc.value.id, async () => ({
        compare: [records.vpcs.ifPresent(vpc.id)],
        success: [records.routeTables.put(keyIn(context, table.id), table), ...context.remember(output)],
      }));
      return output;
    },

    async DescribeRouteTables(input, context) {
      const page = await select(records.routeTables, context, {
        kind: 'route-table',
        fields,
        selection: {
          ids: input.RouteTableIds,
          filters: input.Filters,
          maxResults: input.MaxResults,
          nextToken: input.NextToken,
        },
      });
      const targets = await targetsIn(context);
      return { RouteTables: page.items.map((table) => toTable(table, targets)), NextToken: page.nextToken };
    },

    async DeleteRouteTable(input, context) {
      const table = await mustGet(records.routeTables, context, 'route-table', input.RouteTableId);
      const refusal = `The routeTable '${table.value.id}' has dependencies and cannot be deleted.`;
      if (table.value.isMain || table.value.associations.length) throw new AwsError('DependencyViolation', refusal);
      const { succeeded } = await state.store.txn({
        compare: [records.routeTables.ifUnchanged(table)],
        success: [records.routeTables.remove(table.id)],
      });
      if (!succeeded) throw new AwsError('DependencyViolation', refusal);
      return {};
    },

    async CreateRoute(input, context) {
      const route = await routeOf(input, context);
      await mustGet(records.routeTables, context, 'route-table', input.RouteTableId);
      await records.routeTables.update(keyIn(context, input.RouteTableId!), (table) => {
        const local = table.routes.find(({ target }) => target.kind === 'local')!;
        if (cidrContains(local.destination, route.destination))
          throw new AwsError(
            'InvalidParameterValue',
            `The destination CIDR block ${route.destination} is equal to or more specific than one of this VPC's CIDR blocks.`,
          );
        const existing = table.routes.find(({ destination }) => destination === route.destination);
        if (existing) {
          if (JSON.stringify(existing.target) === JSON.stringify(route.target)) return table;
          throw new AwsError('RouteAlreadyExists', `The route identified by ${route.destination} already exists.`);
        }
        return { ...table, routes: [...table.routes, route] };
      });
      return { Return: true };
    },

    async ReplaceRoute(input, context) {
      const route = await routeOf(input, context);
      await mustGet(records.routeTables, context, 'route-table', input.RouteTableId);
      await records.routeTables.update(keyIn(context, input.RouteTableId!), (table) => {
        if (!table.routes.some(({ destination }) => destination === route.destination))
          throw noRoute(route.destination, table);
        return {
          ...table,
          routes: table.routes.map((old) => (old.destination === route.destination ? route : old)),
        };
      });
      return {};
    },

    async DeleteRoute(input, context) {
      const destination = cidrOf('destinationCidrBlock', input.DestinationCidrBlock);
      await mustGet(records.routeTables, context, 'route-table', input.RouteTableId);
      await records.routeTables.update(keyIn(context, input.RouteTableId!), (table) => {
        const route = table.routes.find((candidate) => candidate.destination === destination);
        if (!route) throw noRoute(destination, table);
        if (route.target.kind === 'local')
          throw new AwsError(
            'InvalidParameterValue',
            `cannot remove local route ${destination} in route table ${table.id}`,
          );
        return { ...table, routes: table.routes.filter((candidate) => candidate !== route) };
      });
      return {};
    },

    async AssociateRouteTable(input, context) {
      if (!input.SubnetId)
        throw new AwsError('UnsupportedOperation', 'Route tables can be associated with subnets only', { status: 501 });
      const subnet = await mustGet(records.subnets, context, 'subnet', input.SubnetId);
      const table = await mustGet(records.routeTables, context, 'route-table', input.RouteTableId);
      if (table.value.vpcId !== subnet.value.vpcId)
        throw new AwsError(
          'InvalidParameterValue',
          `Route table ${table.value.id} and network ${subnet.value.id} belong to different networks`,
        );
      const already = table.value.associations.find(({ subnetId }) => subnetId === input.SubnetId);
      if (already) return associated(already.id);
      const id = newId(random, 'rtbassoc');
      await uses.add(context, subnet.value.vpcId, async () => {
        const tables = await records.routeTables.list(allIn(context));
        if (tables.some(({ value }) => value.associations.some(({ subnetId }) => subnetId === input.SubnetId)))
          throw new AwsError(
            'Resource.AlreadyAssociated',
            `the specified association for route table ${table.value.id} conflicts with an existing association`,
          );
        const seen = await mustGet(records.routeTables, context, 'route-table', input.RouteTableId);
        const associations = [...seen.value.associations, { id, subnetId: subnet.value.id }];
        return {
          compare: [records.routeTables.ifUnchanged(seen), records.subnets.ifPresent(subnet.id)],
          success: [records.routeTables.put(seen.id, { ...seen.value, associations })],
        };
      });
      return associated(id);
    },

    /** Gives a subnet another table, or a VPC another main one. */
    async ReplaceRouteTableAssociation(input, context) {
      const NewAssociationId = newId(random, 'rtbassoc');
      for (let attempt = 0; attempt < 16; attempt++) {
        const to = await mustGet(records.routeTables, context, 'route-table', input.RouteTableId);
        const tables = await records.routeTables.list(allIn(context));
        const id = input.AssociationId;
        const isIt = (association: { readonly id: string }) => association.id === id;
        const from = tables.find(({ value }) => value.mainAssociationId === id || value.associations.some(isIt));
        if (!from) throw new AwsError('InvalidAssociationID.NotFound', `The association ID '${id}' does not exist`);
        if (from.value.vpcId !== to.value.vpcId)
          throw new AwsError(
            'InvalidParameterValue',
            `Route table ${to.value.id} and association ${id} belong to different networks`,
          );
        const moved = from.value.associations.filter(isIt).map((one) => ({ ...one, id: NewAssociationId }));
        const { mainAssociationId, ...left } = from.value;
        const isMain = mainAssociationId === id;
        const before = isMain
          ? { ...left, isMain: false }
          : { ...from.value, associations: from.value.associations.filter((one) => !isIt(one)) };
        // Where it was already, it gets a new id there.
        const base = from.id === to.id ? before : to.value;
        const after = isMain
          ? { ...base, isMain: true, mainAssociationId: NewAssociationId }
          : { ...base, associations: [...base.associations, ...moved] };
        const { succeeded } = await state.store.txn({
          compare: [records.routeTables.ifUnchanged(from), records.routeTables.ifUnchanged(to)],
          success: [
            ...(from.id === to.id ? [] : [records.routeTables.put(from.id, before)]),
            records.routeTables.put(to.id, after),
          ],
        });
        if (succeeded) return { NewAssociationId, AssociationState: { State: 'associated' } };
      }
      throw new AwsError('RequestLimitExceeded', 'Route tables change faster than the request can be carried out.');
    },

    async DisassociateRouteTable(input, context) {
      const tables = await records.routeTables.list(allIn(context));
      const id = input.AssociationId;
      if (tables.some(({ value }) => value.mainAssociationId === id))
        throw new AwsError('InvalidParameterValue', `cannot disassociate the main route table association ${id}`);
      const table = tables.find(({ value }) => value.associations.some((association) => association.id === id));
      if (!table) throw new AwsError('InvalidAssociationID.NotFound', `The association ID '${id}' does not exist`);
      await records.routeTables.update(table.id, (value) => ({
        ...value,
        associations: value.associations.filter((association) => association.id !== id),
      }));
      return {};
    },
  } satisfies Handlers<typeof import('@aws-sdk/client-ec2')>;

  /** The route a request describes; what it points to must exist. */
  async function routeOf(
    input: {
      readonly DestinationCidrBlock?: string | undefined;
      readonly GatewayId?: string | undefined;
      readonly NatGatewayId?: string | undefined;
      readonly NetworkInterfaceId?: string | undefined;
    },
    scope: Scope,
  ): Promise<Route> {
    const destination = cidrOf('destinationCidrBlock', input.DestinationCidrBlock);
    if (input.GatewayId) {
      const { value } = await mustGet(records.internetGateways, scope, 'internet-gateway', input.GatewayId);
      return { destination, target: { kind: 'internet-gateway', id: value.id } };
    }
    if (input.NatGatewayId) {
      const { value } = await mustGet(records.natGateways, scope, 'natgateway', input.NatGatewayId);
      if (value.deletedAt !== undefined) throw notFound('natgateway', value.id);
      return { destination, target: { kind: 'nat-gateway', id: value.id } };
    }
    if (input.NetworkInterfaceId) {
      const { value } = await mustGet(records.networkInterfaces, scope, 'network-interface', input.NetworkInterfaceId);
      return { destination, target: { kind: 'network-interface', id: value.id } };
    }
    throw new AwsError(
      'UnsupportedOperation',
      'Routes can point to internet gateways, NAT gateways and network interfaces only',
      {
        status: 501,
      },
    );
  }
}

function associated(AssociationId: string) {
  return { AssociationId, AssociationState: { State: 'associated' as const } };
}

function noRoute(destination: string, table: RouteTable): AwsError {
  return new AwsError(
    'InvalidRoute.NotFound',
    `no route with destination-cidr-block ${destination} in route table ${table.id}`,
  );
}
