import { eksPolicies } from './managed-eks-policies.ts';
import { managed, type ManagedPolicy } from './managed-policy.ts';
import { serviceLinkedPolicies } from './service-linked-policies.ts';

export type { ManagedPolicy } from './managed-policy.ts';

const pullActions = [
  'ecr:GetAuthorizationToken',
  'ecr:BatchCheckLayerAvailability',
  'ecr:GetDownloadUrlForLayer',
  'ecr:BatchGetImage',
];
const readActions = [
  ...pullActions,
  'ecr:GetRepositoryPolicy',
  'ecr:DescribeRepositories',
  'ecr:ListImages',
  'ecr:DescribeImages',
  'ecr:GetLifecyclePolicy',
  'ecr:GetLifecyclePolicyPreview',
  'ecr:ListTagsForResource',
  'ecr:DescribeImageScanFindings',
];
const pushActions = ['ecr:InitiateLayerUpload', 'ecr:UploadLayerPart', 'ecr:CompleteLayerUpload', 'ecr:PutImage'];

/** Services whose reading operations ReadOnlyAccess names; the published policy lists every service of AWS. */
const readableServices = [
  'application-autoscaling',
  'autoscaling',
  'cloudformation',
  'cloudtrail',
  'cloudwatch',
  'ec2',
  'ecr',
  'ecr-public',
  'ecs',
  'eks',
  'elasticloadbalancing',
  'events',
  'iam',
  'logs',
  'secretsmanager',
  'servicediscovery',
  'ssm',
  'tag',
];

const policies: readonly ManagedPolicy[] = [
  managed('/', 'AdministratorAccess', 'Provides full access to AWS services and resources.', { actions: ['*'] }),
  managed(
    '/',
    'PowerUserAccess',
    'Provides full access to AWS services and resources, but does not allow management of Users and groups.',
    { notActions: ['iam:*', 'organizations:*', 'account:*'] },
    {
      actions: [
        'iam:CreateServiceLinkedRole',
        'iam:DeleteServiceLinkedRole',
        'iam:ListRoles',
        'organizations:DescribeOrganization',
        'account:ListRegions',
        'account:GetAccountInformation',
      ],
    },
  ),
  managed('/', 'ReadOnlyAccess', 'Provides read-only access to AWS services and resources.', {
    actions: [
      ...readableServices
        .filter((service) => service !== 'secretsmanager')
        .flatMap((service) => [`${service}:Describe*`, `${service}:Get*`, `${service}:List*`]),
      'cloudtrail:LookupEvents',
      'ecr:BatchCheck*',
      'ecr:BatchGet*',
      'logs:FilterLogEvents',
      'logs:StartQuery',
      'logs:StopQuery',
      'logs:TestMetricFilter',
      'secretsmanager:Describe*',
      'secretsmanager:GetResourcePolicy',
      'secretsmanager:List*',
    ],
  }),
  managed('/', 'IAMFullAccess', 'Provides full access to IAM.', {
    actions: ['iam:*', 'organizations:DescribeAccount'],
  }),
  managed('/', 'IAMReadOnlyAccess', 'Provides read only access to IAM.', {
    actions: [
      'iam:GenerateCredentialReport',
      'iam:Get*',
      'iam:List*',
      'iam:SimulateCustomPolicy',
      'iam:SimulatePrincipalPolicy',
    ],
  }),
  managed(
    '/service-role/',
    'AmazonECSTaskExecutionRolePolicy',
    'Provides access to other AWS service resources that are required to run Amazon ECS tasks',
    { actions: [...pullActions, 'logs:CreateLogStream', 'logs:PutLogEvents'] },
  ),
  managed('/', 'AmazonEC2ContainerRegistryPullOnly', 'Provides permissions to pull images from ECR repositories.', {
    actions: pullActions,
  }),
  managed(
    '/',
    'AmazonEC2ContainerRegistryReadOnly',
    'Provides read-only access to Amazon EC2 Container Registry repositories.',
    {
      actions: readActions,
    },
  ),
  managed(
    '/',
    'AmazonEC2ContainerRegistryPowerUser',
    'Provides full access to Amazon EC2 Container Registry repositories, but does not allow repository deletion or policy changes.',
    {
      actions: [...readActions, ...pushActions],
    },
  ),
  managed('/', 'AmazonEC2ContainerRegistryFullAccess', 'Provides administrative access to Amazon ECR resources', {
    actions: ['ecr:*', 'cloudtrail:LookupEvents'],
  }),
  managed(
    '/',
    'AmazonECS_FullAccess',
    'Provides administrative access to Amazon ECS resources and enables ECS features through access to other AWS service resources.',
    {
      actions: [
        'application-autoscaling:*',
        'ecs:*',
        'ec2:Describe*',
        'elasticloadbalancing:*',
        'cloudwatch:*',
        'logs:*',
        'servicediscovery:*',
        'iam:ListRoles',
        'iam:ListInstanceProfiles',
        'iam:ListAttachedRolePolicies',
        'iam:PassRole',
        'iam:CreateServiceLinkedRole',
      ],
    },
  ),
  managed(
    '/service-role/',
    'AmazonEC2ContainerServiceforEC2Role',
    'Default policy for the Amazon EC2 Role for Amazon EC2 Container Service.',
    {
      actions: [
        'ec2:DescribeTags',
        'ecs:CreateCluster',
        'ecs:DeregisterContainerInstance',
        'ecs:DiscoverPollEndpoint',
        'ecs:Poll',
        'ecs:RegisterContainerInstance',
        'ecs:StartTelemetrySession',
        'ecs:UpdateContainerInstancesState',
        'ecs:Submit*',
        ...pullActions,
        'logs:CreateLogStream',
        'logs:PutLogEvents',
      ],
    },
  ),
  managed('/', 'AmazonEC2FullAccess', 'Provides full access to Amazon EC2 via the AWS Management Console.', {
    actions: ['ec2:*', 'elasticloadbalancing:*', 'cloudwatch:*', 'autoscaling:*', 'iam:CreateServiceLinkedRole'],
  }),
  managed('/', 'AmazonEC2ReadOnlyAccess', 'Provides read only access to Amazon EC2 via the AWS Management Console.', {
    actions: [
      'ec2:Describe*',
      'ec2:GetSecurityGroupsForVpc',
      'elasticloadbalancing:Describe*',
      'cloudwatch:ListMetrics',
      'cloudwatch:GetMetricStatistics',
      'cloudwatch:Describe*',
      'autoscaling:Describe*',
    ],
  }),
  managed('/', 'CloudWatchLogsFullAccess', 'Provides full access to CloudWatch Logs', {
    actions: ['logs:*', 'cloudwatch:GenerateQuery'],
  }),
  managed('/', 'CloudWatchLogsReadOnlyAccess', 'Provides read only access to CloudWatch Logs', {
    actions: [
      'logs:Describe*',
      'logs:Get*',
      'logs:List*',
      'logs:StartQuery',
      'logs:StopQuery',
      'logs:TestMetricFilter',
      'logs:FilterLogEvents',
      'logs:StartLiveTail',
      'logs:StopLiveTail',
    ],
  }),
  ...eksPolicies,
  ...serviceLinkedPolicies,
];

const byArn = new Map(policies.map((policy) => [policy.arn, policy]));

/** Every policy of AWS's that there is here, in order of name. */
export const managedPolicies: readonly ManagedPolicy[] = policies.toSorted((first, second) =>
  first.name.toLowerCase() < second.name.toLowerCase() ? -1 : 1,
);

export function managedPolicy(arn: string): ManagedPolicy | undefined {
  return byArn.get(arn);
}

export function managedPolicyDocument(arn: string): string | undefined {
  return byArn.get(arn)?.document;
}
