import assert from 'node:assert/strict';
import { test } from 'node:test';
import type * as types from '../../types.ts';
import { containersOf } from '../pod/containers.ts';
import { conditionsOf, mergeConditions } from './conditions.ts';
import { phaseOf, type Judged } from './phase.ts';

type State = NonNullable<types.ContainerStatus['state']>;

const running: State = { running: {} };
const ended = (exitCode: number): State => ({ terminated: { exitCode } });
const waiting: State = { waiting: { reason: 'ContainerCreating' } };

interface Shape {
  readonly policy?: string;
  readonly inits?: readonly State[];
  readonly sidecar?: State;
  readonly mains: readonly State[];
}

function judged({ policy = 'Always', inits = [], sidecar, mains }: Shape) {
  const pod: types.Pod = {
    spec: {
      restartPolicy: policy,
      initContainers: [
        ...(sidecar ? [{ name: 'side', restartPolicy: 'Always' }] : []),
        ...inits.map((_, index) => ({ name: `i${index}` })),
      ],
      containers: mains.map((_, index) => ({ name: `m${index}` })),
    },
  };
  const states = [...(sidecar ? [sidecar] : []), ...inits, ...mains];
  const containers = containersOf(pod).map((container, index): Judged => {
    const state = states[index]!;
    const isUp = state.running !== undefined;
    const base = { name: container.spec.name, image: '', imageID: '', restartCount: 0, started: isUp, ready: isUp };
    return { container, status: { ...base, state, ...(state.waiting ? {} : { containerID: 'x' }) } };
  });
  return { pod, containers };
}

function phase(shape: Shape): string {
  const { pod, containers } = judged(shape);
  return phaseOf(pod, containers);
}

test('a pod is pending until all of it has begun', () => {
  assert.equal(phase({ mains: [waiting] }), 'Pending');
  assert.equal(phase({ mains: [running, waiting] }), 'Pending');
  assert.equal(phase({ inits: [running], mains: [waiting] }), 'Pending');
  assert.equal(phase({ mains: [running] }), 'Running');
});

test('a pod ends as its containers and its policy have it', () => {
  assert.equal(phase({ policy: 'Never', mains: [ended(0), ended(0)] }), 'Succeeded');
  assert.equal(phase({ policy: 'Never', mains: [ended(0), ended(1)] }), 'Failed');
  assert.equal(phase({ policy: 'Never', mains: [ended(1), running] }), 'Running');
  assert.equal(phase({ policy: 'OnFailure', mains: [ended(0)] }), 'Succeeded');
  assert.equal(phase({ policy: 'OnFailure', mains: [ended(1)] }), 'Running');
  assert.equal(phase({ mains: [ended(0)] }), 'Running');
  assert.equal(phase({ policy: 'Never', inits: [ended(1)], mains: [waiting] }), 'Failed');
  assert.equal(phase({ inits: [ended(1)], mains: [waiting] }), 'Pending');
  assert.equal(phase({ policy: 'Never', sidecar: running, mains: [ended(0)] }), 'Running');
  assert.equal(phase({ policy: 'Never', sidecar: ended(0), mains: [ended(0)] }), 'Succeeded');
});

test('conditions name who keeps the pod from being ready', () => {
  const of = (shape: Shape) => {
    const { pod, containers } = judged(shape);
    const drafts = conditionsOf(pod, { phase: phaseOf(pod, containers), containers, hasSandbox: true });
    return Object.fromEntries(drafts.map(({ type, status, message }) => [type, message ?? status]));
  };
  assert.deepEqual(of({ inits: [running], mains: [waiting] }), {
    PodReadyToStartContainers: 'True',
    Initialized: 'containers with incomplete status: [i0]',
    Ready: 'containers with unready status: [m0]',
    ContainersReady: 'containers with unready status: [m0]',
  });
  assert.equal(of({ mains: [running, running] })['Ready'], 'True');
});

test('conditions of others stay, and times change with their condition alone', () => {
  const stored = [
    { type: 'PodScheduled', status: 'True', lastTransitionTime: 'then' },
    { type: 'Ready', status: 'True', lastTransitionTime: 'then' },
  ];
  const merged = mergeConditions(
    stored,
    [
      { type: 'Ready', status: 'True' },
      { type: 'Initialized', status: 'True' },
    ],
    'now',
  );
  assert.deepEqual(
    merged.map(({ type, lastTransitionTime }) => [type, lastTransitionTime]),
    [
      ['Ready', 'then'],
      ['Initialized', 'now'],
      ['PodScheduled', 'then'],
    ],
  );
});
