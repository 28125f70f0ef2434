/** Services that have roles of their own in an account, and what those may. */
import { AwsError } from '../errors.ts';
import { managed, type ManagedPolicy } from './managed-policy.ts';
import type { RoleRecord } from './records.ts';

/** Where such roles are. */
export const SERVICE_LINKED_PATH = '/aws-service-role/';

interface LinkedService {
  readonly role: string;
  readonly policy: ManagedPolicy;
}

const interfaceActions = [
  'ec2:CreateNetworkInterface',
  'ec2:CreateNetworkInterfacePermission',
  'ec2:DeleteNetworkInterface',
  'ec2:Describe*',
];

function linked(role: string, policy: string, description: string, actions: readonly string[]): LinkedService {
  return { role, policy: managed(SERVICE_LINKED_PATH, policy, description, { actions }) };
}

/** Services that are here and that act by roles of their own at AWS; here they need none, so what the roles may is said for those who look. */
export const linkedServices: { readonly [service: string]: LinkedService } = {
  'ecs.amazonaws.com': linked(
    'AWSServiceRoleForECS',
    'AmazonECSServiceRolePolicy',
    'Policy to enable Amazon ECS to manage your cluster.',
    [...interfaceActions, 'ec2:AttachNetworkInterface', 'elasticloadbalancing:*', 'logs:*'],
  ),
  'eks.amazonaws.com': linked(
    'AWSServiceRoleForAmazonEKS',
    'AmazonEKSServiceRolePolicy',
    'A service-linked role required for Amazon EKS to call AWS services on your behalf.',
    [...interfaceActions, 'ec2:CreateSecurityGroup', 'ec2:CreateTags', 'iam:ListAttachedRolePolicies', 'logs:*'],
  ),
  'eks-nodegroup.amazonaws.com': linked(
    'AWSServiceRoleForAmazonEKSNodegroup',
    'AWSServiceRoleForAmazonEKSNodegroup',
    'This policy allows Amazon EKS to create and manage Nodegroups',
    ['autoscaling:*', 'ec2:RunInstances', 'ec2:TerminateInstances', 'ec2:CreateLaunchTemplate', 'ec2:Describe*'],
  ),
  'eks-fargate.amazonaws.com': linked(
    'AWSServiceRoleForAmazonEKSForFargate',
    'AmazonEKSForFargateServiceRolePolicy',
    'This policy grants necessary permissions to Amazon EKS to run fargate tasks',
    interfaceActions,
  ),
  'elasticloadbalancing.amazonaws.com': linked(
    'AWSServiceRoleForElasticLoadBalancing',
    'AWSElasticLoadBalancingServiceRolePolicy',
    'Service Linked Role Policy for AWS Elastic Load Balancing Control Plane',
    [...interfaceActions, 'ec2:AssignPrivateIpAddresses', 'ec2:AssociateAddress', 'ec2:AuthorizeSecurityGroupIngress'],
  ),
};

export const serviceLinkedPolicies: readonly ManagedPolicy[] = Object.values(linkedServices).map(
  ({ policy }) => policy,
);

/** Throws `UnmodifiableEntityException` for a role that is a service's. */
export function checkModifiable({ path, name }: Pick<RoleRecord, 'path' | 'name'>): void {
  if (path.startsWith(SERVICE_LINKED_PATH))
    throw new AwsError(
      'UnmodifiableEntityException',
      `Cannot perform the operation on the protected role '${name}' - this role is only modifiable by AWS`,
    );
}
