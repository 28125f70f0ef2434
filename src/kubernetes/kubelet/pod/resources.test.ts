import assert from 'node:assert/strict';
import { test } from 'node:test';
import type * as types from '../../types.ts';
import { oomScoreAdjOf, podResourcesOf } from './resources.ts';

type Resources = NonNullable<types.Container['resources']>;

function pod(
  mains: readonly Resources[],
  inits: readonly (Resources & { readonly restartPolicy?: string })[] = [],
): types.Pod {
  return {
    spec: {
      containers: mains.map((resources, index) => ({ name: `m${index}`, resources })),
      initContainers: inits.map(({ restartPolicy, ...resources }, index) => ({
        name: `i${index}`,
        resources,
        ...(restartPolicy && { restartPolicy }),
      })),
    },
  };
}

test('init containers count one at a time, sidecars beside all that follow', () => {
  const cpu = (amount: string) => ({ requests: { cpu: amount } });
  assert.equal(podResourcesOf(pod([cpu('1'), cpu('1')], [cpu('3')])).cpuRequestMillis, 3000);
  assert.equal(
    podResourcesOf(pod([cpu('1')], [{ ...cpu('1'), restartPolicy: 'Always' }, cpu('3')])).cpuRequestMillis,
    4000,
  );
  assert.equal(podResourcesOf(pod([cpu('1')], [{ ...cpu('1'), restartPolicy: 'Always' }])).cpuRequestMillis, 2000);
});

test('a pod has a limit when all of its containers do', () => {
  const memory = { limits: { memory: '10' } };
  assert.equal(podResourcesOf(pod([memory, memory])).memoryLimitBytes, 20);
  assert.equal(podResourcesOf(pod([memory, {}])).memoryLimitBytes, undefined);
});

test('who asked for less is killed first', () => {
  const score = (resources: Resources) => oomScoreAdjOf(pod([resources]), { name: 'm0', resources }, 2 ** 30);
  assert.equal(score({}), 1000);
  assert.equal(score({ limits: { cpu: '1', memory: '1Gi' } }), -997);
  assert.equal(score({ requests: { memory: '512Mi' } }), 500);
});
