import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { KubernetesObject } from '../object.ts';
import { loadSchemas } from '../schema/load.ts';
import { apply } from './apply.ts';
import { trackManagers } from './track.ts';

const schemas = await loadSchemas();
const schemaOf = (group: string, kind: string) => schemas.of({ group, version: 'v1', kind })!;
const configMap = schemaOf('', 'ConfigMap');
const deployment = schemaOf('apps', 'Deployment');
const [noon, later] = ['2024-01-01T12:00:00Z', '2024-01-01T13:00:00Z'];

type Json = KubernetesObject & { readonly [name: string]: unknown };

interface Options {
  readonly isForced?: boolean;
  readonly now?: string;
  readonly schema?: typeof configMap;
}

function applyAs(manager: string, live: KubernetesObject | undefined, applied: object, options: Options = {}): Json {
  const { isForced = false, now = noon, schema = configMap } = options;
  return apply({ schema, live, applied, manager, isForced, now }) as Json;
}

function map(data: object, metadata: object = {}): KubernetesObject {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'm', ...metadata },
    ...(Object.keys(data).length > 0 && { data }),
  };
}

const ownersOf = (object: KubernetesObject) =>
  (object.metadata?.managedFields ?? []).map(({ manager, operation, fieldsV1 }) => [manager, operation, fieldsV1]);

test('an apply that creates owns what it says', () => {
  const created = applyAs('a', undefined, map({ k: '1' }, { labels: { x: 'y' } }));
  assert.deepEqual(created['data'], { k: '1' });
  assert.deepEqual(created.metadata?.managedFields, [
    {
      manager: 'a',
      operation: 'Apply',
      apiVersion: 'v1',
      time: noon,
      fieldsType: 'FieldsV1',
      fieldsV1: { 'f:data': { 'f:k': {} }, 'f:metadata': { 'f:labels': { 'f:x': {} } } },
    },
  ]);
});

test('another manager is refused in upstream words, unless it has its way', () => {
  const created = applyAs('a', undefined, map({ k: '1', other: '1' }));
  assert.throws(() => applyAs('b', created, map({ k: '2' })), {
    reason: 'Conflict',
    code: 409,
    message: 'Apply failed with 1 conflict: conflict with "a": .data.k',
    details: { causes: [{ reason: 'FieldManagerConflict', message: 'conflict with "a"', field: '.data.k' }] },
  });
  assert.throws(() => applyAs('b', created, map({ k: '2', other: '2' })), {
    message: 'Apply failed with 2 conflicts: conflicts with "a":\n- .data.k\n- .data.other',
  });
  const forced = applyAs('b', created, map({ k: '2' }), { isForced: true });
  assert.deepEqual(forced['data'], { k: '2', other: '1' });
  assert.deepEqual(ownersOf(forced), [
    ['a', 'Apply', { 'f:data': { 'f:other': {} } }],
    ['b', 'Apply', { 'f:data': { 'f:k': {} } }],
  ]);
});

test('the same value may be owned by many', () => {
  const created = applyAs('a', undefined, map({ k: '1' }));
  const shared = applyAs('b', created, map({ k: '1' }));
  assert.deepEqual(
    ownersOf(shared).map(([manager]) => manager),
    ['a', 'b'],
  );
  const left = applyAs('a', shared, map({}));
  assert.deepEqual(left['data'], { k: '1' }, 'the other still wants it');
  assert.equal(applyAs('b', left, map({}))['data'], undefined);
});

test('applying the same again changes nothing at all', () => {
  const created = applyAs('a', undefined, map({ k: '1' }));
  assert.equal(applyAs('a', created, map({ k: '1' }), { now: later }), created);
});

test('what is applied no more goes, also from keyed lists', () => {
  const withContainers = (...containers: readonly object[]) => ({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'd' },
    spec: { replicas: 1, template: { spec: { containers } } },
  });
  const options = { schema: deployment };
  const web = { name: 'web', image: 'w', env: [{ name: 'A', value: '1' }], ports: [{ containerPort: 80 }] };
  const created = applyAs('a', undefined, withContainers(web, { name: 'side', image: 's' }), options);
  const defaulted = { ...created, spec: { ...(created['spec'] as object), revisionHistoryLimit: 10 } } as Json;
  const next = applyAs('a', defaulted, withContainers({ name: 'web', image: 'w2' }), options);
  assert.deepEqual(next['spec'], {
    replicas: 1,
    revisionHistoryLimit: 10,
    template: { spec: { containers: [{ name: 'web', image: 'w2' }] } },
  });
  assert.deepEqual(ownersOf(next), [
    [
      'a',
      'Apply',
      {
        'f:spec': {
          'f:replicas': {},
          'f:template': {
            'f:spec': { 'f:containers': { 'k:{"name":"web"}': { '.': {}, 'f:image': {}, 'f:name': {} } } },
          },
        },
      },
    ],
  ]);
});

test('an item that another manager added to stays', () => {
  const withEnv = (...env: readonly object[]) => ({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    spec: { template: { spec: { containers: [{ name: 'web', env }] } } },
  });
  const options = { schema: deployment };
  const created = applyAs('a', undefined, withEnv({ name: 'A', value: '1' }), options);
  const both = applyAs('b', created, withEnv({ name: 'B', value: '2' }), options);
  const left = applyAs('a', both, { apiVersion: 'apps/v1', kind: 'Deployment' }, options);
  assert.deepEqual(left['spec'], {
    template: { spec: { containers: [{ name: 'web', env: [{ name: 'B', value: '2' }] }] } },
  });
});

test('items keep their order, those of the applier in its own', () => {
  const withNames = (...names: readonly string[]) => ({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    spec: { template: { spec: { containers: names.map((name) => ({ name })) } } },
  });
  const namesIn = (object: Json) =>
    (
      object as { spec?: { template?: { spec?: { containers?: readonly { name: string }[] } } } }
    ).spec?.template?.spec?.containers
      ?.map(({ name }) => name)
      .join('');
  const live = withNames('a', 'x', 'b', 'c') as unknown as KubernetesObject;
  const options = { schema: deployment };
  assert.equal(namesIn(applyAs('m', live, withNames('a', 'b', 'c'), options)), 'axbc');
  assert.equal(namesIn(applyAs('m', live, withNames('c', 'b', 'a'), options)), 'xcba');
  assert.equal(namesIn(applyAs('m', live, withNames('a', 'n', 'b'), options)), 'axnbc');
});

test('lists that cannot be merged are refused', () => {
  const options = { schema: deployment };
  const withContainers = (...containers: readonly object[]) => ({ spec: { template: { spec: { containers } } } });
  assert.throws(() => applyAs('a', undefined, withContainers({ name: 'x' }, { name: 'x' }), options), {
    message: /\.spec\.template\.spec\.containers: duplicate entries for key \[name="x"\]/,
  });
  assert.throws(() => applyAs('a', undefined, withContainers({ image: 'x' }), options), {
    message: /omits key field "name"/,
  });
  assert.throws(() => applyAs('a', undefined, map({}, { managedFields: [] })), {
    message: 'metadata.managedFields must be nil',
  });
});

test('what was there before the first apply belongs to somebody', () => {
  const live = map({ k: '1' });
  assert.throws(() => applyAs('a', live, map({ k: '2' })), {
    message: `Apply failed with 1 conflict: conflict with "before-first-apply" using v1 at ${noon}: .data.k`,
  });
});

test('kubectl takes over from client-side apply without a conflict', () => {
  const said = JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'm' }, data: { k: '1' } });
  const annotations = { 'kubectl.kubernetes.io/last-applied-configuration': said };
  const live = trackManagers({
    schema: configMap,
    live: undefined,
    next: map({ k: '1' }, { annotations }),
    manager: 'kubectl-client-side-apply',
    now: noon,
  });
  const applied = applyAs('kubectl', live, map({ k: '2' }), { now: later });
  assert.deepEqual(applied['data'], { k: '2' });
  const now = applied.metadata?.annotations?.['kubectl.kubernetes.io/last-applied-configuration'] ?? '';
  assert.deepEqual((JSON.parse(now) as { data: unknown }).data, { k: '2' });
  assert.throws(() => applyAs('somebody', live, map({ k: '2' })), {
    message: `Apply failed with 1 conflict: conflict with "kubectl-client-side-apply" using v1 at ${noon}: .data.k`,
  });
});

test('a write takes over what it changes, and a deployment is owned as upstream says', () => {
  const spec = {
    replicas: 1,
    selector: { matchLabels: { app: 'web' } },
    strategy: { rollingUpdate: { maxSurge: '25%' }, type: 'RollingUpdate' },
    template: {
      metadata: { labels: { app: 'web' } },
      spec: { containers: [{ name: 'web', image: 'i', resources: {} }], dnsPolicy: 'ClusterFirst' },
    },
  };
  const next = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'd', labels: { app: 'web' } },
    spec,
  } as Json;
  const created = trackManagers({ schema: deployment, live: undefined, next, manager: 'kubectl-create', now: noon });
  const fields = {
    'f:metadata': { 'f:labels': { '.': {}, 'f:app': {} } },
    'f:spec': {
      'f:replicas': {},
      'f:selector': {},
      'f:strategy': { 'f:rollingUpdate': { '.': {}, 'f:maxSurge': {} }, 'f:type': {} },
      'f:template': {
        'f:metadata': { 'f:labels': { '.': {}, 'f:app': {} } },
        'f:spec': {
          'f:containers': { 'k:{"name":"web"}': { '.': {}, 'f:image': {}, 'f:name': {}, 'f:resources': {} } },
          'f:dnsPolicy': {},
        },
      },
    },
  };
  assert.deepEqual(ownersOf(created), [
    [
      'kubectl-create',
      'Update',
      {
        ...fields,
        'f:spec': {
          ...fields['f:spec'],
          'f:template': {
            ...fields['f:spec']['f:template'],
            'f:spec': {
              'f:containers': { '.': {}, ...fields['f:spec']['f:template']['f:spec']['f:containers'] },
              'f:dnsPolicy': {},
            },
          },
        },
      },
    ],
  ]);
  const scaled = trackManagers({
    schema: deployment,
    live: created,
    next: { ...created, spec: { ...spec, replicas: 2 } } as Json,
    manager: 'scaler',
    subresource: 'scale',
    now: later,
  });
  assert.deepEqual(ownersOf(scaled).at(-1), ['scaler', 'Update', { 'f:spec': { 'f:replicas': {} } }]);
  const [first] = scaled.metadata?.managedFields ?? [];
  assert.doesNotMatch(JSON.stringify(first?.fieldsV1), /f:replicas/);
  assert.equal(first?.time, noon, 'who only lost something did nothing');
});

test('an empty entry forgets all owners, and they stay forgotten', () => {
  const created = applyAs('a', undefined, map({ k: '1' }));
  const track = (live: KubernetesObject, next: KubernetesObject) =>
    trackManagers({ schema: configMap, live, next, manager: 'u', now: later });
  const reset = track(created, map({ k: '1' }, { managedFields: [{}] }));
  assert.equal(reset.metadata?.managedFields, undefined);
  assert.equal(track(reset, map({ k: '2' })).metadata?.managedFields, undefined);
});

test('a client that does not know owners does not lose them', () => {
  const created = applyAs('a', undefined, map({ k: '1', l: '1' }));
  const next = trackManagers({
    schema: configMap,
    live: created,
    next: map({ k: '2', l: '1' }),
    manager: 'u',
    now: later,
  });
  assert.deepEqual(ownersOf(next), [
    ['a', 'Apply', { 'f:data': { 'f:l': {} } }],
    ['u', 'Update', { 'f:data': { 'f:k': {} } }],
  ]);
});

test('many updaters become a few', () => {
  let live = map({});
  for (let index = 0; index < 15; index += 1)
    live = trackManagers({
      schema: configMap,
      live: index === 0 ? undefined : live,
      next: { ...live, data: { ...((live as Json)['data'] as object), [`k${index}`]: '1' } } as KubernetesObject,
      manager: `m${index}`,
      now: `2024-01-01T00:00:${String(index).padStart(2, '0')}Z`,
    });
  const owners = ownersOf(live);
  assert.equal(owners.length, 10);
  assert.equal(owners.filter(([manager]) => manager === 'ancient-changes').length, 1);
});

const data = fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.constantFrom('1', '2'), { maxKeys: 3 });

test('applying is idempotent, and an applier gets what it applied', () => {
  fc.assert(
    fc.property(data, data, data, (one, two, three) => {
      const first = applyAs('x', undefined, map(one));
      const second = applyAs('y', first, map(two), { isForced: true });
      const third = applyAs('x', second, map(three), { isForced: true, now: later });
      assert.equal(applyAs('x', third, map(three), { isForced: true }), third);
      const result = (third['data'] ?? {}) as Record<string, string>;
      for (const [key, value] of Object.entries(three)) assert.equal(result[key], value);
      for (const key of Object.keys(result)) assert.ok(key in three || key in two, 'nothing stays that nobody wants');
    }),
  );
});

test('another order of the same items is a change', () => {
  const withNames = (...names: readonly string[]) => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'm', finalizers: names },
  });
  const created = applyAs('a', undefined, withNames('x/1', 'x/2'));
  const turned = applyAs('a', created, withNames('x/2', 'x/1'));
  assert.deepEqual(turned.metadata?.finalizers, ['x/2', 'x/1']);
});

test('what others put into a map entry goes with the entry, unless they own the entry too', () => {
  const schema = { type: 'any', isGranular: true } as const;
  const options = { schema: { ...configMap, fields: new Map([['tree', { schema, isRequired: false }]]) } };
  const tree = (tree: unknown) => ({ apiVersion: 'v1', kind: 'ConfigMap', tree });
  const created = applyAs('a', undefined, tree({ a: { b: null } }), options);
  const grown = trackManagers({
    schema: options.schema,
    live: created,
    next: { ...created, ...tree({ a: { b: { c: 1 } } }) },
    manager: 'u',
    now: later,
  });
  assert.equal(applyAs('a', grown, tree({ x: 1 }), options)['tree'] !== undefined, true);
  assert.deepEqual(applyAs('a', grown, tree({ x: 1 }), options)['tree'], { x: 1 });
});
