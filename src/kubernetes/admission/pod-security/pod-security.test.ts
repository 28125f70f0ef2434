import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AdmissionRequest } from '../../auth/user.ts';
import { MemoryClient } from '../../client/memory-client.ts';
import { MemoryInformers } from '../../client/memory-informers.ts';
import { deployments, namespaces, pods } from '../../resources.ts';
import type { Pod } from '../../types.ts';
import { describeViolations } from './check.ts';
import { type Level, violationsOf } from './level.ts';
import { podSecurity } from './plugin.ts';

const container = (more: object = {}) => ({ name: 'c', image: 'i', ...more });
const hardened = {
  allowPrivilegeEscalation: false,
  capabilities: { drop: ['ALL'] },
  runAsNonRoot: true,
  seccompProfile: { type: 'RuntimeDefault' },
};

function found(level: Level, spec: object, annotations?: { [name: string]: string }): string {
  const checked = { metadata: { annotations }, spec: { containers: [container()], ...spec } };
  return describeViolations(violationsOf({ level, version: 'latest' }, checked as never));
}

test('baseline names what reaches beyond the pod', () => {
  assert.equal(found('baseline', {}), '');
  const cases: readonly (readonly [object, string])[] = [
    [{ hostNetwork: true, hostPID: true }, 'host namespaces (hostNetwork=true, hostPID=true)'],
    [
      { containers: [container({ securityContext: { privileged: true } })] },
      'privileged (container "c" must not set securityContext.privileged=true)',
    ],
    [
      { containers: [container({ securityContext: { capabilities: { add: ['SYS_ADMIN', 'CHOWN', 'NET_ADMIN'] } } })] },
      'non-default capabilities (container "c" must not include "NET_ADMIN", "SYS_ADMIN" in securityContext.capabilities.add)',
    ],
    [{ volumes: [{ name: 'a', hostPath: { path: '/' } }] }, 'hostPath volumes (volume "a")'],
    [
      { containers: [container({ ports: [{ containerPort: 80, hostPort: 80 }] })] },
      'hostPort (container "c" uses hostPort 80)',
    ],
    [
      { securityContext: { seccompProfile: { type: 'Unconfined' } } },
      'seccompProfile (pod must not set securityContext.seccompProfile.type to "Unconfined")',
    ],
    [{ securityContext: { sysctls: [{ name: 'kernel.msgmax', value: '1' }] } }, 'forbidden sysctls (kernel.msgmax)'],
    [
      { securityContext: { seLinuxOptions: { type: 'spc_t', user: 'u' } } },
      'seLinuxOptions (pod set forbidden securityContext.seLinuxOptions: type "spc_t"; user may not be set)',
    ],
    [
      { containers: [container({ securityContext: { procMount: 'Unmasked' } })] },
      'procMount (container "c" must not set securityContext.procMount to "Unmasked")',
    ],
  ];
  for (const [spec, expected] of cases) {
    assert.equal(found('baseline', spec), expected);
    assert.equal(found('privileged', spec), '');
  }
  assert.equal(
    found('baseline', {}, { 'container.apparmor.security.beta.kubernetes.io/c': 'unconfined' }),
    'forbidden AppArmor profile (annotation "container.apparmor.security.beta.kubernetes.io/c"="unconfined")',
  );
});

test('restricted demands hardening, and tells it as upstream does', () => {
  assert.equal(
    found('restricted', {}),
    'allowPrivilegeEscalation != false (container "c" must set securityContext.allowPrivilegeEscalation=false), ' +
      'unrestricted capabilities (container "c" must set securityContext.capabilities.drop=["ALL"]), ' +
      'runAsNonRoot != true (pod or container "c" must set securityContext.runAsNonRoot=true), ' +
      'seccompProfile (pod or container "c" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")',
  );
  assert.equal(found('restricted', { containers: [container({ securityContext: hardened })] }), '');
  const { runAsNonRoot: _, seccompProfile: _profile, ...own } = hardened;
  const ofPod = { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } };
  assert.equal(found('restricted', { securityContext: ofPod, containers: [container({ securityContext: own })] }), '');
  const spec = {
    containers: [container({ securityContext: { ...hardened, runAsUser: 0 } })],
    volumes: [{ name: 'n', nfs: {} }],
  };
  assert.equal(
    found('restricted', spec),
    'restricted volume types (volume "n" uses restricted volume type "nfs"), runAsUser=0 (container "c" must not set runAsUser=0)',
  );
  const both = { hostNetwork: true, initContainers: [container({ name: 'i', securityContext: hardened })] };
  assert.match(
    found('restricted', both),
    /^host namespaces \(hostNetwork=true\), allowPrivilegeEscalation != false \(container "c"/,
  );
});

test('a version that is named is checked as it was', () => {
  const at = (version: string, level: Level, spec: object) =>
    describeViolations(
      violationsOf({ level, version }, { metadata: {}, spec: { containers: [container()], ...spec } }),
    );
  const sysctls = (name: string) => ({ securityContext: { sysctls: [{ name, value: '1' }] } });
  assert.equal(
    at('v1.26', 'baseline', sysctls('net.ipv4.ip_local_reserved_ports')),
    'forbidden sysctls (net.ipv4.ip_local_reserved_ports)',
  );
  assert.equal(at('v1.27', 'baseline', sysctls('net.ipv4.ip_local_reserved_ports')), '');
  const engine = { securityContext: { seLinuxOptions: { type: 'container_engine_t' } } };
  assert.match(at('v1.30', 'baseline', engine), /seLinuxOptions/);
  assert.equal(at('v1.31', 'baseline', engine), '');
  const host = { containers: [container({ livenessProbe: { httpGet: { host: 'h', port: 1 } } })] };
  assert.equal(at('v1.33', 'baseline', host), '');
  assert.match(at('latest', 'baseline', host), /probe or lifecycle host/);
  assert.equal(at('v1.7', 'restricted', { securityContext: { runAsNonRoot: true } }), '');
  assert.doesNotMatch(at('v1.21', 'restricted', {}), /capabilities/);
  const adding = { containers: [container({ securityContext: { capabilities: { add: ['SYS_ADMIN'] } } })] };
  assert.match(at('v1.21', 'restricted', adding), /non-default capabilities/);
  assert.match(at('v1.22', 'restricted', adding), /unrestricted capabilities/);
  const windows = { os: { name: 'windows' }, securityContext: { runAsNonRoot: true } };
  assert.match(at('v1.24', 'restricted', windows), /seccompProfile/);
  assert.equal(at('v1.25', 'restricted', windows), '');
});

test('namespaces choose what is enforced and what is warned of', async () => {
  const client = new MemoryClient();
  const labels = { 'pod-security.kubernetes.io/enforce': 'baseline', 'pod-security.kubernetes.io/warn': 'restricted' };
  const stored = await client.create(namespaces, { metadata: { name: 'ns', labels } });
  const plugin = podSecurity({ informers: new MemoryInformers(client) });
  const ask = (request: Partial<AdmissionRequest>) =>
    plugin.validate!({
      operation: 'CREATE',
      type: pods,
      namespace: 'ns',
      name: 'p',
      oldObject: undefined,
      user: { username: 'u', groups: [] },
      isDryRun: false,
      ...request,
    } as AdmissionRequest);
  const pod = (spec: object): Pod => ({ metadata: { name: 'p' }, spec: { containers: [container()], ...spec } });
  await assert.rejects(ask({ object: pod({ hostNetwork: true }) }), {
    code: 403,
    message: 'pods "p" is forbidden: violates PodSecurity "baseline:latest": host namespaces (hostNetwork=true)',
  });
  const [warning] = await ask({ object: pod({}) });
  assert.match(warning!, /^would violate PodSecurity "restricted:latest": allowPrivilegeEscalation/);
  const template = { spec: pod({ hostNetwork: true }).spec };
  const deployment = { metadata: { name: 'd' }, spec: { template, selector: {} } };
  assert.match((await ask({ type: deployments, object: deployment }))[0]!, /^would violate PodSecurity "restricted/);
  assert.deepEqual(await ask({ operation: 'UPDATE', object: pod({}), oldObject: pod({}) }), []);

  for (const name of ['a', 'b'])
    await client.create(pods, { metadata: { name, namespace: 'ns' }, spec: pod({}).spec! });
  const stricter = {
    ...stored,
    metadata: { ...stored.metadata, labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } },
  };
  assert.deepEqual(
    await ask({ type: namespaces, operation: 'UPDATE', name: 'ns', object: stricter, oldObject: stored }),
    [
      'existing pods in namespace "ns" violate the new PodSecurity enforce level "restricted:latest"',
      'a (and 1 other pod): allowPrivilegeEscalation != false, unrestricted capabilities, runAsNonRoot != true, seccompProfile',
    ],
  );
});
