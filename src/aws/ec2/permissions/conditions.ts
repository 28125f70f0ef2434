import type { ConditionContext } from '../../service.ts';
import { resourceTagContext, type Tags } from '../../tags.ts';
import { ec2Arn, type Scope } from '../scope.ts';
import type { ResourceKind } from '../kinds.ts';
import type { RecordOf } from '../tags.ts';
import type { AskedKind } from './resources.ts';

/** What records of the kinds say that policies ask about; each kind has some of it. */
interface Described {
  readonly tags?: Tags;
  readonly vpcId?: string;
  readonly subnetId?: string;
  readonly zone?: string;
  readonly instanceType?: string;
  readonly instanceProfile?: { readonly arn: string };
}

/** The condition keys of a resource as it is now; of one that is not there, those of its name. */
export type Conditions = (scope: Scope, kind: AskedKind, id: string) => Promise<ConditionContext>;

/** The key that holds a resource's own id: Service Authorization Reference, "Condition keys for Amazon EC2". */
const idKeys: { readonly [Kind in AskedKind]?: string } = {
  vpc: 'ec2:VpcID',
  subnet: 'ec2:SubnetID',
  'security-group': 'ec2:SecurityGroupID',
  'network-interface': 'ec2:NetworkInterfaceID',
  'internet-gateway': 'ec2:InternetGatewayID',
  'route-table': 'ec2:RouteTableID',
  instance: 'ec2:InstanceID',
  'elastic-ip': 'ec2:AllocationId',
  image: 'ec2:ImageID',
  'key-pair': 'ec2:KeyPairName',
};

/** Images and snapshots are nobody's in their ARNs. */
export function arnOf(scope: Scope, kind: AskedKind, id: string): string {
  const isShared = kind === 'image' || kind === 'snapshot';
  return isShared ? ec2Arn({ ...scope, account: '' }, kind, id) : ec2Arn(scope, kind, id);
}

export function conditionsFrom(recordOf: RecordOf): Conditions {
  return async (scope, kind, id) => {
    const idKey = idKeys[kind];
    const named: ConditionContext = {
      'ec2:Region': scope.region,
      ...(idKey && id !== '*' && { [idKey]: id }),
    };
    if (id === '*') return named;
    // A kind without records here has none of any id.
    const seen = await recordOf(scope, kind as ResourceKind, id);
    return seen ? { ...named, ...conditionsOf(scope, seen) } : named;
  };
}

function conditionsOf(scope: Scope, record: Described): ConditionContext {
  return {
    ...resourceTagContext(record.tags ?? {}, 'ec2'),
    ...(record.vpcId && { 'ec2:Vpc': arnOf(scope, 'vpc', record.vpcId) }),
    ...(record.subnetId && { 'ec2:Subnet': arnOf(scope, 'subnet', record.subnetId) }),
    ...(record.zone && { 'ec2:AvailabilityZone': record.zone }),
    ...(record.instanceType && { 'ec2:InstanceType': record.instanceType }),
    ...(record.instanceProfile && { 'ec2:InstanceProfile': record.instanceProfile.arn }),
  };
}
