import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Node, Pod, PodSpec } from '../types.ts';
import { ClusterState } from './cluster-state.ts';
import { Nominations } from './nominations.ts';
import { enoughOf, Passes } from './pass.ts';
import { pluginsOf } from './plugins/index.ts';
import { isTolerated } from './selection.ts';

const plugins = pluginsOf({ defaultSelector: () => undefined, volumes: [] });

const zones = fc.constantFrom('a', 'b', 'c');
const nodeOf = fc.record({
  zone: zones,
  cpu: fc.integer({ min: 1, max: 8 }),
  memory: fc.integer({ min: 1, max: 8 }),
  pods: fc.integer({ min: 1, max: 6 }),
  isTainted: fc.boolean(),
  isCordoned: fc.boolean(),
});
const podOf = fc.record({
  app: fc.constantFrom('x', 'y'),
  cpu: fc.integer({ min: 0, max: 40 }),
  memory: fc.integer({ min: 0, max: 4 }),
  port: fc.option(fc.constantFrom(80, 443), { nil: undefined }),
  zone: fc.option(zones, { nil: undefined }),
  isTolerant: fc.boolean(),
  isApart: fc.boolean(),
  maxSkew: fc.option(fc.constantFrom(1, 2), { nil: undefined }),
});

function makeNode(
  name: string,
  { zone, cpu, memory, pods, isTainted, isCordoned }: typeof nodeOf extends fc.Arbitrary<infer T> ? T : never,
): Node {
  return {
    metadata: { name, uid: name, labels: { zone, host: name } },
    spec: { unschedulable: isCordoned, ...(isTainted && { taints: [{ key: 't', effect: 'NoSchedule' }] }) },
    status: { allocatable: { cpu: String(cpu), memory: `${memory}Gi`, pods: String(pods) } },
  };
}

function makePod(name: string, options: typeof podOf extends fc.Arbitrary<infer T> ? T : never): Pod {
  const { app, cpu, memory, port, zone, isTolerant, isApart, maxSkew } = options;
  const labelSelector = { matchLabels: { app } };
  const spec: PodSpec = {
    containers: [
      {
        name: 'c',
        resources: { requests: { cpu: `${cpu * 100}m`, memory: `${memory}Gi` } },
        ...(port && { ports: [{ containerPort: port, hostPort: port }] }),
      },
    ],
    ...(zone && { nodeSelector: { zone } }),
    ...(isTolerant && { tolerations: [{ operator: 'Exists' }] }),
    ...(isApart && {
      affinity: {
        podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'host', labelSelector }] },
      },
    }),
    ...(maxSkew && {
      topologySpreadConstraints: [{ maxSkew, topologyKey: 'zone', whenUnsatisfiable: 'DoNotSchedule', labelSelector }],
    }),
  };
  return { metadata: { namespace: 'default', name, uid: name, labels: { app } }, spec };
}

/** Places each pod in turn as the scheduler does; returns what went where. */
function place(nodes: readonly Node[], pods: readonly Pod[]) {
  const state = new ClusterState(() => undefined);
  for (const node of nodes) state.setNode(node);
  const passes = new Passes({ state, plugins, nominations: new Nominations(), fraction: () => 0.5 });
  const placed: { readonly pod: Pod; readonly node: Node }[] = [];
  const refused: Pod[] = [];
  for (const pod of pods) {
    const info = state.infoOf(pod);
    const outcome = passes.find(info);
    if (outcome.kind === 'refused') {
      assert.equal(outcome.refusals.size, nodes.length, 'every node has its reason');
      refused.push(pod);
      continue;
    }
    state.assume(info, outcome.node);
    placed.push({ pod, node: outcome.node.node! });
  }
  return { state, placed, refused };
}

const clusters = fc
  .tuple(fc.array(nodeOf, { minLength: 1, maxLength: 8 }), fc.array(podOf, { maxLength: 25 }))
  .map(([nodes, pods]) => ({
    nodes: nodes.map((options, index) => makeNode(`n${index}`, options)),
    pods: pods.map((options, index) => makePod(`p${index}`, options)),
  }));

test('no node is ever given more than it has', () => {
  fc.assert(
    fc.property(clusters, ({ nodes, pods }) => {
      const { placed } = place(nodes, pods);
      for (const [node, here] of Map.groupBy(placed, ({ node }) => node)) {
        const sum = (of: (spec: PodSpec) => number) => here.reduce((total, { pod }) => total + of(pod.spec!), 0);
        const requests = ({ containers }: PodSpec) => containers[0]!.resources!.requests!;
        const { cpu, memory, pods } = node.status!.allocatable!;
        assert.ok(sum((spec) => Number.parseInt(requests(spec)['cpu']!)) <= Number(cpu) * 1000);
        assert.ok(sum((spec) => Number.parseInt(requests(spec)['memory']!)) <= Number.parseInt(memory!));
        assert.ok(here.length <= Number(pods));
        const ports = here.flatMap(({ pod }) => pod.spec!.containers[0]!.ports?.map(({ hostPort }) => hostPort) ?? []);
        assert.equal(new Set(ports).size, ports.length);
      }
    }),
    { numRuns: 200 },
  );
});

test('no pod is ever where it may not be', () => {
  fc.assert(
    fc.property(clusters, ({ nodes, pods }) => {
      const { placed } = place(nodes, pods);
      for (const { pod, node } of placed) {
        const { nodeSelector, tolerations, affinity } = pod.spec!;
        if (nodeSelector) assert.equal(node.metadata!.labels!['zone'], nodeSelector['zone']);
        for (const taint of node.spec!.taints ?? []) assert.ok(isTolerated(tolerations, taint));
        if (!tolerations) assert.ok(!node.spec!.unschedulable);
        const app = pod.metadata!.labels!['app'];
        const alike = placed.filter(
          (other) => other.pod !== pod && other.node === node && other.pod.metadata!.labels!['app'] === app,
        );
        if (affinity) assert.deepEqual(alike, [], 'whoever wants to be apart is, whoever came first');
      }
    }),
    { numRuns: 200 },
  );
});

test('what is added is taken away again, to the last unit', () => {
  fc.assert(
    fc.property(clusters, ({ nodes, pods }) => {
      const { state, placed } = place(nodes, pods);
      for (const { pod } of placed) state.removePod(pod.metadata!.uid!);
      assert.equal(state.podCount, 0);
      assert.deepEqual([...state.groups], []);
      assert.equal(state.affinityGroups.size, 0);
      for (const node of state.nodes) {
        assert.ok([...node.requested.values()].every((amount) => amount === 0));
        assert.equal(node.presumedMemoryBytes, 0);
      }
    }),
    { numRuns: 100 },
  );
});

test('in a large cluster a pass looks at some of the nodes, and the next one at others', () => {
  assert.deepEqual([enoughOf(50), enoughOf(100), enoughOf(1000), enoughOf(6000)], [50, 100, 420, 300]);
  const nodes = Array.from({ length: 500 }, (_, index) =>
    makeNode(`n${index}`, { zone: 'a', cpu: 8, memory: 8, pods: 6, isTainted: false, isCordoned: false }),
  );
  const plain = {
    app: 'x' as const,
    cpu: 1,
    memory: 0,
    port: undefined,
    zone: undefined,
    isTolerant: false,
    isApart: false,
    maxSkew: undefined,
  };
  const { placed } = place(
    nodes,
    Array.from({ length: 100 }, (_, index) => makePod(`p${index}`, plain)),
  );
  assert.ok(new Set(placed.map(({ node }) => node)).size > 90);
});
