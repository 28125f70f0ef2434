/** What the nodes of a cluster ask of the room above: whose network they live in and whose images they may pull. `aws/eks/` supplies it. */
import type { NetworkInterface } from '#network';

/**
 * A Kubernetes node that this machine is to be, written by whoever offers nodes (EKS node groups, Fargate profiles) under `node/kubelets/<machineId>/<nodeId>`, followed by the
 * host, which runs a kubelet for each. Deleting the record ends its pods and everything that was made for them.
 */
export interface KubeletRecord {
  /** Unique on the machine, of letters, digits and dashes: the EC2 instance id. */
  readonly id: string;
  /** The node object's name: `ip-172-31-0-7.ec2.internal`. */
  readonly nodeName: string;
  readonly tenant: string;
  readonly region: string;
  readonly zone: string;
  readonly cluster: {
    readonly id: string;
    readonly name: string;
    /** `https://127.0.0.1:PORT`. */
    readonly server: string;
    readonly certificateAuthorityPem: string;
    readonly dnsAddress: string;
    readonly domain: string;
    readonly serviceCidr: string;
  };
  /** A client certificate of `system:node:<nodeName>`, group `system:nodes`. */
  readonly certificatePem: string;
  readonly keyPem: string;
  readonly labels: { readonly [name: string]: string };
  readonly taints: readonly { readonly key: string; readonly value?: string; readonly effect: string }[];
  /** `aws:///us-east-1a/i-0abc`. */
  readonly providerId: string;
  /** The instance's own interface: the node's address, and the namespace of host-network pods. */
  readonly networkInterfaceId: string;
  readonly cpuMillis: number;
  readonly memoryMiB: number;
  readonly maxPods: number;
}

/**
 * That a cluster is no more, written under `node/ended-clusters/<cluster id>` by whoever deleted it, when none of its nodes has a `KubeletRecord`: what its volumes left may go. The host
 * deletes the record when it has.
 */
export interface EndedCluster {
  readonly tenant: string;
}

/** Which pod, of which node. */
export interface PodIdentity {
  readonly node: KubeletRecord;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly serviceAccount: string;
}

/** Who filters the packets of pods on this machine by network policies. */
export interface PodFilters {
  /**
   * Asked for the address of a pod before anything runs there: resolves when the policies that select the pod hold for it, or when that cannot be waited for any longer. Throws
   * nothing but the signal's reason.
   */
  hold(pod: PodIdentity, address: string, signal: AbortSignal): Promise<void>;
}

export interface NodeServices {
  /** An interface for the pod, in the VPC of its node. The same uid gets the same interface, however often it asks. */
  assignAddress(pod: PodIdentity, signal: AbortSignal): Promise<NetworkInterface>;
  /** Gives the interface back; the pod's namespace is gone by then. Repeating it succeeds. */
  releaseAddress(pod: PodIdentity, signal: AbortSignal): Promise<void>;
  /** Credentials of the node's own role for an image, or undefined for an anonymous pull; pull secrets come first and are the kubelet's matter. */
  pullCredentials(
    node: KubeletRecord,
    image: string,
    signal: AbortSignal,
  ): Promise<{ readonly username: string; readonly password: string } | undefined>;
}
