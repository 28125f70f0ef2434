import { AwsError, type Eks } from '#aws';
import { DabbaError } from '#base';
import type { SocketCall, SocketRoutes } from './socket-api.ts';

/** What the control plane answers to kubelets: `node-services.ts` asks. */
export function nodeRoutes(
  eks: Pick<Eks, 'assignPodAddress' | 'releasePodAddress' | 'nodeCredentials' | 'podCredentials'>,
): SocketRoutes {
  const named =
    ({ query }: SocketCall) =>
    (name: string) => {
      const value = query.get(name);
      if (!value) throw new DabbaError('InvalidArgument', `the query names no ${name}`);
      return value;
    };
  return {
    'PUT /pod-address': async (call) => {
      const get = named(call);
      return await eks.assignPodAddress({
        machineId: get('machine'),
        nodeId: get('node'),
        namespace: get('namespace'),
        name: get('name'),
        uid: get('uid'),
        serviceAccount: get('serviceAccount'),
      });
    },
    'DELETE /pod-address': async (call) => {
      const get = named(call);
      await eks.releasePodAddress({
        nodeId: get('node'),
        uid: get('uid'),
        tenant: get('tenant'),
        region: get('region'),
      });
    },
    'GET /pod-credentials': async (call) => {
      const get = named(call);
      try {
        return await eks.podCredentials({ vpcId: get('vpc'), address: get('address'), token: get('token') });
      } catch (error) {
        // What STS or IAM refuse is no failure of ours: the agent tells the pod.
        if (error instanceof AwsError) throw new DabbaError('PermissionDenied', error.message, { cause: error });
        throw error;
      }
    },
    'GET /node-credentials': async (call) => {
      const get = named(call);
      return await eks.nodeCredentials({ machineId: get('machine'), nodeId: get('node') });
    },
  };
}
