import assert from 'node:assert/strict';
import { test } from 'node:test';
import { qosClassOf } from './qos.ts';
import type { Container, Pod } from './types.ts';

type Resources = NonNullable<Container['resources']>;

function pod(containers: readonly Resources[], whole?: Resources): Pod {
  return {
    spec: {
      containers: containers.map((resources, index) => ({ name: `c${index}`, resources })),
      ...(whole && { resources: whole }),
    },
  };
}

const full = { limits: { cpu: '1', memory: '1Gi' } };

test('the class follows from requests and limits', () => {
  assert.equal(qosClassOf(pod([{}])), 'BestEffort');
  assert.equal(qosClassOf(pod([{ requests: { cpu: '0' } }])), 'BestEffort');
  assert.equal(qosClassOf(pod([{ limits: { 'example.com/device': '1' } }])), 'BestEffort');
  assert.equal(qosClassOf(pod([full])), 'Guaranteed');
  assert.equal(qosClassOf(pod([{ ...full, requests: { cpu: '1000m', memory: '1024Mi' } }])), 'Guaranteed');
  assert.equal(qosClassOf(pod([{ ...full, requests: { cpu: '500m' } }])), 'Burstable');
  assert.equal(qosClassOf(pod([full, {}])), 'Burstable');
  assert.equal(qosClassOf(pod([{ requests: { cpu: '1m' } }])), 'Burstable');
});

test('init containers count like the others', () => {
  const { spec } = pod([full]);
  assert.equal(qosClassOf({ spec: { ...spec!, initContainers: [{ name: 'i' }] } }), 'Burstable');
});

test('what a pod asks for as a whole decides in place of its containers', () => {
  assert.equal(qosClassOf(pod([{}], full)), 'Guaranteed');
  assert.equal(qosClassOf(pod([full], { requests: { cpu: '1' } })), 'Burstable');
});
