import { AwsError } from '../errors.ts';
import type { CallContext, RequiredPermission } from '../service.ts';
import { kinds, type ResourceKind } from './kinds.ts';
import { ec2Arn } from './scope.ts';

type AnyHandler = (input: never, context: CallContext) => unknown;

/**
 * Wraps each handler: the account's default VPC exists before anything looks, and `DryRun` answers, as EC2 does once the call is
 * authorised, with the error `DryRunOperation` instead of doing it.
 */
export function guarded<Handlers extends { readonly [operation: string]: AnyHandler }>(
  handlers: Handlers,
  before: (context: CallContext) => Promise<void>,
): Handlers {
  const wrap =
    (handler: AnyHandler): AnyHandler =>
    async (input, context) => {
      if ((input as { readonly DryRun?: boolean }).DryRun)
        throw new AwsError('DryRunOperation', 'Request would have succeeded, but DryRun flag is set.', { status: 412 });
      await before(context);
      return handler(input, context);
    };
  // Every handler keeps its own input and output types: the wrapper passes both through.
  return Object.fromEntries(Object.entries(handlers).map(([name, handler]) => [name, wrap(handler)])) as Handlers;
}

/** Members of inputs that name a resource an action needs permission for. */
const members: { readonly [member: string]: ResourceKind } = {
  VpcId: 'vpc',
  SubnetId: 'subnet',
  GroupId: 'security-group',
  NetworkInterfaceId: 'network-interface',
  InternetGatewayId: 'internet-gateway',
  RouteTableId: 'route-table',
  AllocationId: 'elastic-ip',
  InstanceId: 'instance',
  LaunchTemplateId: 'launch-template',
};

/** What a create action makes; permission is asked for the whole kind, since there is no id yet. */
const creations: { readonly [operation: string]: ResourceKind } = {
  CreateVpc: 'vpc',
  CreateSubnet: 'subnet',
  CreateSecurityGroup: 'security-group',
  CreateNetworkInterface: 'network-interface',
  CreateInternetGateway: 'internet-gateway',
  CreateRouteTable: 'route-table',
  AllocateAddress: 'elastic-ip',
  RunInstances: 'instance',
  CreateLaunchTemplate: 'launch-template',
};

interface TaggedInput {
  readonly TagSpecifications?: readonly {
    readonly Tags?: readonly { readonly Key?: string; readonly Value?: string }[];
  }[];
  readonly Tags?: readonly { readonly Key?: string; readonly Value?: string }[];
  readonly Resources?: readonly string[];
  readonly InstanceIds?: readonly string[];
}

/** The IAM resources of a call: Service Authorization Reference, "Amazon EC2". */
export function permissions(operation: string, input: unknown, context: CallContext): readonly RequiredPermission[] {
  const action = `ec2:${operation}`;
  if (operation.startsWith('Describe')) return [{ action, resources: ['*'] }];
  const tagged = input as TaggedInput;
  const tags = [...(tagged.TagSpecifications ?? []).flatMap((entry) => entry.Tags ?? []), ...(tagged.Tags ?? [])];
  const conditions = tags.length
    ? {
        context: {
          ...Object.fromEntries(tags.map(({ Key = '', Value = '' }) => [`aws:RequestTag/${Key}`, Value])),
          'aws:TagKeys': tags.map(({ Key = '' }) => Key),
        },
      }
    : {};
  const resources = resourcesOf(operation, input, context);
  const needed = [{ action, resources: resources.length ? resources : ['*'], ...conditions }];
  if (tagged.TagSpecifications?.length && creations[operation])
    needed.push({ action: 'ec2:CreateTags', resources: [ec2Arn(context, creations[operation], '*')], ...conditions });
  return needed;
}

function resourcesOf(operation: string, input: unknown, context: CallContext): string[] {
  const values = input as { readonly [member: string]: unknown };
  const named = Object.entries(members).flatMap(([member, kind]) =>
    typeof values[member] === 'string' ? [ec2Arn(context, kind, values[member])] : [],
  );
  const { Resources = [], InstanceIds = [] } = input as TaggedInput;
  const tagged = [...Resources, ...InstanceIds].flatMap((id) => {
    const kind = Object.entries(kinds).find(([, { prefix }]) => id.startsWith(`${prefix}-`))?.[0];
    return kind ? [ec2Arn(context, kind, id)] : [];
  });
  const created = creations[operation];
  return [...named, ...tagged, ...(created ? [ec2Arn(context, created, '*')] : [])];
}
