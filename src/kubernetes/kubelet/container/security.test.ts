import assert from 'node:assert/strict';
import { test } from 'node:test';
import type * as types from '../../types.ts';
import { forbiddenSysctl, securityRequest } from './security.ts';

type Pod = NonNullable<types.PodSpec['securityContext']>;
type Own = NonNullable<types.Container['securityContext']>;

function request(podLevel: Pod, own: Own = {}, imageUser = '') {
  const pod = {
    metadata: { name: 'p', namespace: 'n', uid: 'u' },
    spec: { containers: [], securityContext: podLevel },
  };
  const ground = { imageUser, localProfile: (name: string) => `text of ${name}` };
  return securityRequest(pod, { name: 'c', securityContext: own }, ground);
}

test('the container’s word wins over the pod’s', () => {
  assert.equal(request({ runAsUser: 1, runAsGroup: 2 }, { runAsUser: 3 }).user, '3:2');
  assert.equal(request({}).user, undefined, 'the image decides');
  assert.equal(request({ runAsGroup: 5 }, {}, 'web').user, 'web:5');
  assert.deepEqual(request({ fsGroup: 9, supplementalGroups: [7] }).supplementaryGroups, ['7', '9']);
});

test('who must not be root is not', () => {
  const refuses = (pod: Pod, imageUser: string, message: RegExp) =>
    assert.throws(() => request(pod, {}, imageUser), message);
  refuses({ runAsNonRoot: true }, '', /image will run as root/);
  refuses({ runAsNonRoot: true }, 'web', /non-numeric user \(web\)/);
  refuses({ runAsNonRoot: true, runAsUser: 0 }, '', /breaks non-root policy/);
  request({ runAsNonRoot: true }, {}, '1000:1000');
  request({ runAsNonRoot: true, runAsUser: 1 });
});

test('confinement is loosened only by a word', () => {
  assert.equal(request({}).seccomp, undefined);
  assert.equal(request({ seccompProfile: { type: 'Unconfined' } }).seccomp, 'unconfined');
  assert.equal(request({ seccompProfile: { type: 'Localhost', localhostProfile: 'x' } }).seccomp, 'text of x');
  assert.equal(request({}, { allowPrivilegeEscalation: false }).isPrivilegeGainForbidden, true);
  assert.equal(request({}, { privileged: true }).isPrivileged, true);
});

test('sysctls that reach beyond the pod are found', () => {
  const sysctls = (...names: string[]) => ({
    spec: { containers: [], securityContext: { sysctls: names.map((name) => ({ name, value: '1' })) } },
  });
  assert.equal(forbiddenSysctl(sysctls('net.ipv4.tcp_syncookies', 'kernel.msgmax')), 'kernel.msgmax');
  assert.equal(forbiddenSysctl(sysctls('net/ipv4/ip_unprivileged_port_start')), undefined);
});
