/** What one cluster is made of, and what it asks of the room above. */
import type { Duplex } from 'node:stream';
import type { LoadBalancers } from './controllers/loadbalancer/ports.ts';
import type { VolumeProvisioner } from './controllers/persistentvolume/provisioner.ts';
import type { ControlPlaneLogs } from './control-plane-logs.ts';
import type { AdmissionPlugin, Authorizer, TokenAuthenticator } from './auth/user.ts';

export interface ClusterSettings {
  /** Unique for ever; a segment of every key: `kubernetes/<tenant>/<id>/…`. */
  readonly id: string;
  readonly name: string;
  /** The account that owns it. */
  readonly tenant: string;
  readonly serviceCidr: string;
  /** The tenth address of the service range. */
  readonly dnsAddress: string;
  /** `cluster.local`. */
  readonly domain: string;
  /** Loopback port of the API server, and the names and addresses its certificate holds. */
  readonly port: number;
  readonly serverNames: readonly string[];
  /** PEM; the cluster's own. */
  readonly ca: { readonly certificatePem: string; readonly keyPem: string };
  /** ES256 or RS256 key pair that signs service-account tokens. */
  readonly serviceAccountKey: { readonly privateKeyPem: string; readonly publicKeyPem: string };
  /** `iss` of service-account tokens: the cluster's OIDC issuer URL. */
  readonly issuer: string;
}

export interface ClusterPorts {
  /** Bearer tokens that are not the cluster's own, e.g. presigned STS calls. */
  readonly tokenAuthenticators: readonly TokenAuthenticator[];
  /** Asked beside the cluster's own: one that allows is enough. For rights given from outside the cluster, e.g. access policies. */
  readonly authorizers: readonly Authorizer[];
  /** Steps of admission of the room above; `mutate` of each runs where upstream calls its mutating webhooks, `validate` where the validating ones. */
  readonly admissionPlugins: readonly AdmissionPlugin[];
  /** Balancers in front of services; without them, services of type `LoadBalancer` wait. */
  readonly loadBalancers?: LoadBalancers;
  /** Who keeps what the control plane says; without it, it goes to the daemon's own log alone. */
  readonly logs?: ControlPlaneLogs;
  /** Makers of volumes beside the cluster's own, e.g. for a cloud's storage classes. */
  readonly provisioners?: readonly VolumeProvisioner[];
  /** A connection to the HTTP server of a node's kubelet (upstream's port 10250), for logs, exec, attach and port-forward. Throws `Unavailable`. */
  dialKubelet(nodeName: string, signal: AbortSignal): Promise<Duplex>;
}
