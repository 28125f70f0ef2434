import type { CallContext, ConditionContext, RequiredPermission } from '../service.ts';
import { readTags, requestTagContext } from '../tags.ts';
import { clusterArn, serviceArn, shortName, taskArn, type ClusterScope } from './names.ts';

/** The members of inputs that permissions depend on. */
interface Named {
  readonly cluster?: string;
  readonly clusterName?: string;
  readonly clusters?: readonly string[];
  readonly service?: string;
  readonly serviceName?: string;
  readonly services?: readonly string[];
  readonly task?: string;
  readonly tasks?: readonly string[];
  readonly taskDefinition?: string;
  readonly resourceArn?: string;
  readonly tags?: readonly { readonly key?: string; readonly value?: string }[];
}

/** The IAM resources and condition keys of a call: Service Authorization Reference, "Amazon ECS". */
export function permissions(operation: string, input: unknown, context: CallContext): readonly RequiredPermission[] {
  const named = input as Named;
  const scope: ClusterScope = {
    account: context.account,
    region: context.region,
    cluster: shortName(named.cluster ?? 'default'),
  };
  const conditions: ConditionContext = {
    ...(clusterless.has(operation) ? {} : { 'ecs:cluster': clusterArn(scope, scope.cluster) }),
    ...(named.tags?.length ? tagConditions(named) : {}),
  };
  const required = [
    { action: `ecs:${operation}`, resources: resourcesOf(operation, named, scope), context: conditions },
  ];
  if (named.tags?.length && operation !== 'TagResource')
    required.push({
      action: 'ecs:TagResource',
      resources: ['*'],
      context: { ...conditions, 'ecs:CreateAction': operation },
    });
  return required;
}

function tagConditions({ tags }: Named): ConditionContext {
  // What is wrong with the tags the handler will say; here they only count as far as they can be read.
  const readable = (tags ?? []).filter(({ key }) => key && !/^aws:/i.test(key) && key.length <= 128).slice(0, 50);
  return requestTagContext(readTags(readable.map(({ key, value = '' }) => ({ key, value: value.slice(0, 256) }))));
}

const clusterless = new Set([
  'ListAccountSettings',
  'PutAccountSetting',
  'PutAccountSettingDefault',
  'DeleteAccountSetting',
  'CreateCluster',
  'ListClusters',
  'DescribeClusters',
  'RegisterTaskDefinition',
  'DescribeTaskDefinition',
  'DeregisterTaskDefinition',
  'DeleteTaskDefinitions',
  'ListTaskDefinitions',
  'ListTaskDefinitionFamilies',
  'DescribeCapacityProviders',
  'TagResource',
  'UntagResource',
  'ListTagsForResource',
]);

function resourcesOf(operation: string, named: Named, scope: ClusterScope): readonly string[] {
  switch (operation) {
    case 'CreateCluster':
      return [clusterArn(scope, named.clusterName ?? 'default')];
    case 'DescribeClusters':
      return (named.clusters?.length ? named.clusters : ['default']).map((name) => clusterArn(scope, shortName(name)));
    case 'DeleteCluster':
    case 'UpdateCluster':
    case 'UpdateClusterSettings':
    case 'PutClusterCapacityProviders':
      return [clusterArn(scope, scope.cluster)];
    case 'CreateService':
      return [serviceArn(scope, named.serviceName ?? '')];
    case 'UpdateService':
    case 'DeleteService':
      return [serviceArn(scope, shortName(named.service ?? ''))];
    case 'DescribeServices':
      return (named.services ?? []).map((name) => serviceArn(scope, shortName(name)));
    case 'StopTask':
      return [taskArn(scope, shortName(named.task ?? ''))];
    case 'DescribeTasks':
      return (named.tasks ?? []).map((name) => taskArn(scope, shortName(name)));
    case 'RunTask':
      return [definitionArn(scope, named.taskDefinition ?? '')];
    case 'TagResource':
    case 'UntagResource':
    case 'ListTagsForResource':
      return [named.resourceArn ?? '*'];
    default:
      return ['*'];
  }
}

/** A bare family stands for any of its revisions. */
function definitionArn({ account, region }: ClusterScope, identifier: string): string {
  const name = shortName(identifier);
  return `arn:aws:ecs:${region}:${account}:task-definition/${name.includes(':') ? name : `${name}:*`}`;
}
