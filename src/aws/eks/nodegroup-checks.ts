import type { CreateNodegroupRequest, NodegroupScalingConfig, Taint } from '@aws-sdk/client-eks';
import { AwsError } from '../errors.ts';
import { invalidParameter, notSupported } from './names.ts';
import type { NodegroupRecord, NodeTaint } from './records.ts';
import type { EksState } from './state.ts';

/** Amazon EKS API reference, `CreateNodegroup`, "nodegroupName". */
const NAME = /^[0-9A-Za-z][A-Za-z0-9_-]{0,62}$/;
const MAX_TAINTS = 50;

export function checkNodegroupName(name: string): void {
  if (!NAME.test(name))
    throw invalidParameter(
      `The nodegroup name "${name}" must begin with a letter or digit and have at most 63 letters, digits, hyphens and underscores.`,
    );
}

/** Refuses what the model offers and our instances lack. */
export function refuseUnbuiltGroups(input: Partial<CreateNodegroupRequest>): void {
  if (input.remoteAccess) throw notSupported('Remote access to nodes over SSH');
  if (input.warmPoolConfig?.enabled) throw notSupported('A warm pool');
  if (input.amiType && /^(WINDOWS|CUSTOM)/.test(input.amiType)) throw notSupported(`The AMI type ${input.amiType}`);
  const repair = input.nodeRepairConfig;
  if (
    repair?.maxUnhealthyNodeThresholdCount ??
    repair?.maxUnhealthyNodeThresholdPercentage ??
    repair?.maxParallelNodesRepairedCount ??
    repair?.maxParallelNodesRepairedPercentage ??
    repair?.nodeRepairConfigOverrides?.length
  )
    throw notSupported('A threshold of node repair');
}

/** Sizes that agree with one another; what is not given stays as it was. */
export function checkScaling(
  config: NodegroupScalingConfig | undefined,
  before: NodegroupRecord['scaling'] = { minSize: 1, maxSize: 2, desiredSize: 2 },
): NodegroupRecord['scaling'] {
  const minSize = config?.minSize ?? before.minSize;
  const maxSize = config?.maxSize ?? Math.max(before.maxSize, minSize);
  const desiredSize = config?.desiredSize ?? Math.min(Math.max(before.desiredSize, minSize), maxSize);
  if (minSize < 0 || maxSize < 1) throw invalidParameter('minSize must be at least 0, and maxSize at least 1.');
  if (maxSize > 450) throw invalidParameter('maxSize can not be greater than 450.');
  if (minSize > maxSize)
    throw invalidParameter(`Minimum capacity ${minSize} can't be greater than maximum size ${maxSize}`);
  if (desiredSize > maxSize)
    throw invalidParameter(`desired capacity ${desiredSize} can't be greater than max size ${maxSize}`);
  if (desiredSize < minSize)
    throw invalidParameter(`Minimum capacity ${minSize} can't be greater than desired size ${desiredSize}`);
  return { minSize, maxSize, desiredSize };
}

/** Labels as Kubernetes takes them, without those that EKS and the node itself write. */
export function checkLabels(labels: Readonly<Record<string, string>> | undefined): { readonly [key: string]: string } {
  for (const [key, value] of Object.entries(labels ?? {})) {
    if (!isQualifiedName(key) || !/^$|^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/.test(value))
      throw invalidParameter(`Label ${key}=${value} is not a valid Kubernetes label.`);
    if (/^(eks\.amazonaws\.com|kubernetes\.io|k8s\.io)\//.test(key))
      throw invalidParameter(`Label cannot contain reserved prefixes [${key.split('/')[0]}/]`);
  }
  return labels ?? {};
}

function isQualifiedName(key: string): boolean {
  const [name = '', prefix, ...rest] = key.split('/').reverse();
  const isPrefix = prefix === undefined || /^(?=.{1,253}$)[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(prefix);
  return !rest.length && isPrefix && /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/.test(name);
}

export function checkTaints(taints: readonly Taint[] | undefined): readonly NodeTaint[] {
  if ((taints?.length ?? 0) > MAX_TAINTS) throw invalidParameter(`A node group has at most ${MAX_TAINTS} taints.`);
  return (taints ?? []).map(({ key, value, effect }) => {
    if (!key || !isQualifiedName(key)) throw invalidParameter(`The taint key "${key ?? ''}" is not valid.`);
    if (!effect) throw invalidParameter(`The taint ${key} has no effect.`);
    return { key, effect, ...(value && { value }) };
  });
}

export function checkUpdateConfig(config: CreateNodegroupRequest['updateConfig']): NodegroupRecord['update'] {
  const { maxUnavailable, maxUnavailablePercentage } = config ?? {};
  if (config?.updateStrategy === 'MINIMAL') throw notSupported('The update strategy MINIMAL');
  if (maxUnavailable !== undefined && maxUnavailablePercentage !== undefined)
    throw invalidParameter('maxUnavailable and maxUnavailablePercentage exclude one another.');
  if (maxUnavailablePercentage !== undefined) {
    if (maxUnavailablePercentage < 1 || maxUnavailablePercentage > 100)
      throw invalidParameter('maxUnavailablePercentage must be between 1 and 100.');
    return { maxUnavailablePercentage };
  }
  if (maxUnavailable !== undefined && (maxUnavailable < 1 || maxUnavailable > 100))
    throw invalidParameter('maxUnavailable must be between 1 and 100.');
  return { maxUnavailable: maxUnavailable ?? 1 };
}

/** That the role can be an instance's: it trusts EC2. */
export async function checkNodeRole(state: EksState, roleArn: string): Promise<void> {
  try {
    await state.identities.issueRoleSession({
      roleArn,
      sessionName: 'AmazonEKSNodegroup',
      service: 'ec2.amazonaws.com',
      durationMs: 900_000,
    });
  } catch (error) {
    if (!(error instanceof AwsError)) throw error;
    throw invalidParameter(
      `Following required service principals [ec2.amazonaws.com] were not found in the trust relationships of nodeRole ${roleArn}`,
    );
  }
}
