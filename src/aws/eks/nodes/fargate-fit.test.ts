import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { types } from '#kubernetes';
import { capacityText, fargateRefusal, fargateSize } from './fargate-fit.ts';

const container = (cpu?: string, memory?: string, more: object = {}): types.Container => ({
  name: 'c',
  image: 'i',
  resources: { requests: { ...(cpu && { cpu }), ...(memory && { memory }) } },
  ...more,
});
const pod = (spec: Partial<types.PodSpec>): types.Pod => ({ spec: { containers: [container()], ...spec } });

describe('pods of Fargate', () => {
  test('what containers ask for is rounded up to a size, with room for Fargate itself', () => {
    const capacity = (spec: Partial<types.PodSpec>) => capacityText(fargateSize(pod(spec))!);
    assert.equal(capacity({}), '0.25vCPU 0.5GB');
    assert.equal(capacity({ containers: [container('250m', '256Mi')] }), '0.25vCPU 0.5GB');
    assert.equal(capacity({ containers: [container('250m', '512Mi')] }), '0.25vCPU 1GB');
    assert.equal(capacity({ containers: [container('500m', '1Gi'), container('300m', '1Gi')] }), '1vCPU 3GB');
    assert.equal(capacity({ initContainers: [container('2', '1Gi')] }), '2vCPU 4GB');
    const sidecar = container('200m', '1Gi', { restartPolicy: 'Always' });
    assert.equal(capacity({ initContainers: [sidecar], containers: [container('200m', '1Gi')] }), '0.5vCPU 3GB');
  });

  test('what Fargate does not run is named', () => {
    const refused = (spec: Partial<types.PodSpec>) => fargateRefusal(pod(spec)) ?? '';
    assert.equal(refused({ volumes: [{ name: 'v', emptyDir: {} }] }), '');
    assert.match(refused({ hostNetwork: true, hostPID: true }), /fields not supported: HostNetwork, HostPID/);
    const privileged = container('1', '1Gi', { securityContext: { privileged: true } });
    assert.match(refused({ containers: [privileged] }), /invalid SecurityContext fields: Privileged/);
    assert.match(refused({ volumes: [{ name: 'v', hostPath: { path: '/' } }] }), /v is of an unsupported volume Type/);
    assert.match(refused({ containers: [container('17')] }), /exceed the max Fargate configuration/);
  });
});
