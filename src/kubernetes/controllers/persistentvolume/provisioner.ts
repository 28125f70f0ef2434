import type { Node, PersistentVolume, PersistentVolumeClaim, StorageClass } from '../../types.ts';
import { metaOf } from '../meta.ts';

/** What a provisioner is asked for. */
export interface ProvisionRequest {
  readonly claim: PersistentVolumeClaim;
  readonly storageClass: StorageClass;
  /** Where the pod that waits for it will run; absent for classes that bind at once. */
  readonly node: Node | undefined;
}

/** Makes volumes for the classes that name it. */
export interface VolumeProvisioner {
  /** As storage classes name it. */
  readonly name: string;
  /** The source of the volume's bytes, and who reaches it. The same claim gives the same answer, however often it asks. */
  provision(
    request: ProvisionRequest,
    signal: AbortSignal,
  ): Promise<Pick<NonNullable<PersistentVolume['spec']>, 'hostPath' | 'csi' | 'nodeAffinity'>>;
  /** Gives the bytes back. Repeating it succeeds. */
  remove(volume: PersistentVolume, signal: AbortSignal): Promise<void>;
}

/** The cluster's own: a directory on the machine that outlives its node, so every node of the cluster reaches it. */
export const localProvisioner: VolumeProvisioner = {
  name: 'dabba.dev/local',
  async provision({ claim }) {
    // Made by the kubelet that mounts it first, beneath the storage of the cluster.
    return { hostPath: { path: `/${volumeNameOf(claim)}`, type: 'DirectoryOrCreate' } };
  },
  // The machine's kubelets remove the directory of a volume that is no more.
  async remove() {},
};

/** The name of the volume that is made for a claim. */
export function volumeNameOf(claim: PersistentVolumeClaim): string {
  return `pvc-${metaOf(claim).uid}`;
}
