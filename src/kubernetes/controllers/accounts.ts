/** Who a controller acts as: the service account that upstream's controller manager gives it, with the role `system:controller:…` of the same name. */
import { usernameOf } from '../auth/service-account-tokens.ts';
import type { UserInfo } from '../auth/user.ts';

const home = 'kube-system';

/** Where the account is not called as the controller is; upstream: `cmd/kube-controller-manager/app`, the names given to `ClientOrDie`. */
const accounts: { readonly [controller: string]: string } = {
  'daemonset-controller': 'daemon-set-controller',
  'endpoints-controller': 'endpoint-controller',
  'garbage-collector': 'generic-garbage-collector',
  'persistentvolume-controller': 'persistent-volume-binder',
  'persistentvolume-reclaimer': 'persistent-volume-binder',
  'persistentvolume-protection-controller': 'pv-protection-controller',
  'persistentvolumeclaim-protection-controller': 'pvc-protection-controller',
  'pod-garbage-collector-controller': 'pod-garbage-collector',
  'root-ca-certificate-publisher': 'root-ca-cert-publisher',
  'serviceaccount-controller': 'service-account-controller',
  'taint-eviction-controller': 'node-controller',
};

/** The manager itself: it makes tokens for others, and tells what its controllers do. */
const managerUser: UserInfo = {
  username: 'system:kube-controller-manager',
  groups: ['system:authenticated'],
};

export function userOfController(controller: string): UserInfo {
  if (controller === 'serviceaccount-token-controller') return managerUser;
  return {
    username: usernameOf(home, accounts[controller] ?? controller),
    groups: ['system:serviceaccounts', `system:serviceaccounts:${home}`, 'system:authenticated'],
  };
}
