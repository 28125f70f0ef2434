import { DabbaError } from '#base';
import type { SessionCredentials } from '../../auth/index.ts';
import { idIn } from '../names.ts';
import type { NodeRecord } from '../records.ts';
import type { EksState } from '../state.ts';

/** What a node's sessions last. */
const SESSION_MS = 3_600_000;

/** A session of the node's own role: that of its group, or of its Fargate profile. Throws `NotFound` when the machine is no such node, and IAM's refusal. */
export async function nodeCredentials(
  state: EksState,
  { machineId, nodeId }: { readonly machineId: string; readonly nodeId: string },
): Promise<SessionCredentials> {
  const kubelet = await state.kubelets.get(`${machineId}/${nodeId}`);
  const node =
    kubelet &&
    (await state.nodes.get(
      idIn(
        { account: kubelet.value.tenant, region: kubelet.value.region, cluster: kubelet.value.cluster.name },
        nodeId,
      ),
    ));
  if (!node) throw new DabbaError('NotFound', `this machine is no node ${nodeId}`);
  const { roleArn, service } = await roleOf(state, node.value);
  return await state.identities.issueRoleSession({
    roleArn,
    sessionName: nodeId,
    service,
    durationMs: SESSION_MS,
    context: { 'aws:SourceAccount': node.value.account },
  });
}

async function roleOf(
  state: EksState,
  node: NodeRecord,
): Promise<{ readonly roleArn: string; readonly service: string }> {
  const { owner } = node;
  if (owner.kind === 'nodegroup') {
    const group = await state.nodegroups.get(idIn(node, owner.name));
    if (group) return { roleArn: group.value.nodeRole, service: 'ec2.amazonaws.com' };
  } else {
    const profile = await state.fargateProfiles.get(idIn(node, owner.profile));
    if (profile) return { roleArn: profile.value.podExecutionRoleArn, service: 'eks-fargate-pods.amazonaws.com' };
  }
  throw new DabbaError('NotFound', `what node ${node.nodeName} was made for is gone`);
}
