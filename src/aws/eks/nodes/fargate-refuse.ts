/** Tells a pod that Fargate does not run it, or cannot yet, as its scheduler does: by a condition and an event, once for each reason. */
import { isoSeconds } from '#base';
import { createHash } from 'node:crypto';
import { isStatusError, resources, type types } from '#kubernetes';
import type { RunningCluster } from '../running-clusters.ts';
import { FARGATE_SCHEDULER } from './events.ts';

export async function refusePod(
  { client }: RunningCluster,
  pod: types.Pod,
  message: string,
  now: number,
): Promise<void> {
  const { namespace = '', name = '', uid = '' } = pod.metadata ?? {};
  const told = pod.status?.conditions?.find(({ type }) => type === 'PodScheduled');
  if (told?.message === message) return;
  const time = isoSeconds(now);
  const condition = {
    type: 'PodScheduled',
    status: 'False',
    reason: 'Unschedulable',
    message,
    lastTransitionTime: time,
  };
  const event: types.Event = {
    metadata: {
      namespace,
      name: `${name}.${createHash('sha256')
        .update(uid + message)
        .digest('hex')
        .slice(0, 16)}`,
    },
    involvedObject: { apiVersion: 'v1', kind: 'Pod', namespace, name, uid },
    type: 'Warning',
    reason: 'FailedScheduling',
    message,
    source: { component: FARGATE_SCHEDULER },
    reportingComponent: FARGATE_SCHEDULER,
    firstTimestamp: time,
    lastTimestamp: time,
    count: 1,
  };
  try {
    await client.create(resources.events, event).catch((error: unknown) => {
      if (!isStatusError(error, 'AlreadyExists')) throw error;
    });
    const body = { status: { conditions: [condition] } };
    await client.patch(resources.pods, { namespace, name }, { kind: 'strategic', body }, { subresource: 'status' });
  } catch (error) {
    // It was deleted meanwhile.
    if (!isStatusError(error, 'NotFound')) throw error;
  }
}
