import assert from 'node:assert/strict';
import { test } from 'node:test';
import type * as types from '../../types.ts';
import { rejection } from './admit.ts';

const node = {
  allocatable: { cpuMillis: 1000, memoryBytes: 2 ** 30, ephemeralStorageBytes: 2 ** 30 },
  labels: { zone: 'a' },
  maxPods: 2,
};
const pod = (spec: Partial<types.PodSpec>): types.Pod => ({ spec: { containers: [], ...spec } });
const asking = (requests: { readonly [name: string]: string }) =>
  pod({ containers: [{ name: 'c', resources: { requests } }] });
const reason = (each: types.Pod, others: readonly types.Pod[] = []) => rejection(each, { ...node, others })?.reason;

test('a pod is refused what the node does not have', () => {
  assert.equal(reason(asking({ cpu: '1' })), undefined);
  assert.equal(reason(asking({ cpu: '600m' }), [asking({ cpu: '600m' })]), 'OutOfcpu');
  assert.equal(reason(asking({ memory: '2Gi' })), 'OutOfmemory');
  assert.equal(reason(pod({}), [pod({}), pod({})]), 'OutOfpods');
  assert.equal(reason(pod({ nodeSelector: { zone: 'b' } })), 'NodeAffinity');
  assert.equal(
    reason(pod({ securityContext: { sysctls: [{ name: 'kernel.msgmax', value: '1' }] } })),
    'SysctlForbidden',
  );
});

test('of an extended resource the node gives what it has, and what it does not know it leaves to the scheduler', () => {
  const one = asking({ 'example.com/thing': '1' });
  const extended = { 'example.com/thing': '2', cpu: '1' };
  const refused = (others: readonly types.Pod[]) => rejection(one, { ...node, maxPods: 9, extended, others })?.reason;
  assert.equal(refused([one]), undefined);
  assert.equal(refused([one, one]), 'OutOfexample.com/thing');
  assert.equal(reason(one), undefined);
  const { containers } = one.spec!;
  const withSidecar = pod({ containers, initContainers: [{ ...containers[0]!, name: 's', restartPolicy: 'Always' }] });
  assert.equal(refused([withSidecar]), 'OutOfexample.com/thing', 'what stays beside the main containers counts too');
});
