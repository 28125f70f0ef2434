import type { CallContext, ConditionContext, RequiredPermission } from '../service.ts';
import { requestTagContext, resourceTagContext, type Tags } from '../tags.ts';
import {
  accessEntryArn,
  addonArn,
  clusterArn,
  fargateProfileArn,
  idIn,
  nodegroupArn,
  podIdentityArn,
} from './names.ts';
import type { EksState } from './state.ts';

/** The members of inputs that permissions depend on. */
interface Named {
  readonly name?: string;
  readonly clusterName?: string;
  readonly nodegroupName?: string;
  readonly fargateProfileName?: string;
  readonly addonName?: string;
  readonly associationId?: string;
  readonly principalArn?: string;
  readonly resourceArn?: string;
  readonly policyArn?: string;
  readonly accessScope?: { readonly type?: string; readonly namespaces?: readonly string[] };
  readonly username?: string;
  readonly kubernetesGroups?: readonly string[];
  readonly type?: string;
  readonly tags?: Tags;
}

type Permissions = (operation: string, input: unknown, context: CallContext) => Promise<readonly RequiredPermission[]>;

/** The IAM resources and condition keys of a call: Service Authorization Reference, "Amazon Elastic Kubernetes Service". */
export function permissions(state: EksState): Permissions {
  return async (operation, input, context) => {
    const named = input as Named;
    const conditions = conditionsOf(operation, named);
    const { arn, tags } = await resourceOf(state, operation, named, context);
    const required: RequiredPermission[] = [
      { action: `eks:${operation}`, resources: [arn], context: { ...conditions, ...resourceTagContext(tags) } },
    ];
    const hasTags = Object.keys(named.tags ?? {}).length > 0;
    if (hasTags && operation !== 'TagResource')
      required.push({ action: 'eks:TagResource', resources: [arn], context: conditions });
    return required;
  };
}

function conditionsOf(operation: string, named: Named): ConditionContext {
  const isEntry = operation.endsWith('AccessEntry') || operation.endsWith('AccessPolicy');
  return {
    ...(named.tags && requestTagContext(named.tags)),
    ...(isEntry && {
      'eks:principalArn': named.principalArn,
      'eks:kubernetesGroups': named.kubernetesGroups,
      'eks:username': named.username,
      'eks:accessEntryType': named.type,
      'eks:policyArn': named.policyArn,
      'eks:accessScope': named.accessScope?.type,
      'eks:namespaces': named.accessScope?.namespaces,
    }),
  };
}

interface Resource {
  readonly arn: string;
  readonly tags: Tags;
}

/** Operations on a whole account, or on what EKS offers. */
const global = new Set([
  'ListClusters',
  'ListAccessPolicies',
  'DescribeAddonVersions',
  'DescribeAddonConfiguration',
  'DescribeClusterVersions',
]);

/** Making a part is a right on the cluster, whatever the part will be. */
const onCluster = /^(Create|List)/;

async function resourceOf(state: EksState, operation: string, named: Named, context: CallContext): Promise<Resource> {
  if (global.has(operation)) return { arn: '*', tags: {} };
  if (named.resourceArn !== undefined) return { arn: named.resourceArn, tags: {} };
  const cluster = named.clusterName ?? named.name ?? '';
  const scope = { account: context.account, region: context.region, cluster };
  const part = onCluster.test(operation) ? undefined : await partOf(state, scope, named);
  if (part) return part;
  const seen = await state.clusters.get(`${context.account}/${context.region}/${cluster}`);
  return { arn: clusterArn(context, cluster), tags: seen?.value.tags ?? {} };
}

/** The part of a cluster that a call names. One that is not there is any of its name. */
async function partOf(state: EksState, scope: Parameters<typeof idIn>[0], named: Named): Promise<Resource | undefined> {
  const { nodegroupName, fargateProfileName, addonName, associationId, principalArn } = named;
  if (nodegroupName !== undefined) {
    const part = (await state.nodegroups.get(idIn(scope, nodegroupName)))?.value;
    return { arn: nodegroupArn(scope, nodegroupName, part?.id ?? '*'), tags: part?.tags ?? {} };
  }
  if (fargateProfileName !== undefined) {
    const part = (await state.fargateProfiles.get(idIn(scope, fargateProfileName)))?.value;
    return { arn: fargateProfileArn(scope, fargateProfileName, part?.id ?? '*'), tags: part?.tags ?? {} };
  }
  if (addonName !== undefined) {
    const part = (await state.addons.get(idIn(scope, addonName)))?.value;
    return { arn: addonArn(scope, addonName, part?.id ?? '*'), tags: part?.tags ?? {} };
  }
  if (associationId !== undefined) {
    const part = (await state.podIdentities.get(idIn(scope, associationId)))?.value;
    return { arn: podIdentityArn(scope, associationId), tags: part?.tags ?? {} };
  }
  if (principalArn === undefined || !principalArn.startsWith('arn:aws:iam:')) return undefined;
  const part = (await state.accessEntries.get(idIn(scope, principalArn)))?.value;
  return { arn: accessEntryArn(scope, principalArn, part?.id ?? '*'), tags: part?.tags ?? {} };
}
