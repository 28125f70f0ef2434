import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AdmissionRequest } from '../../auth/user.ts';
import { MemoryClient } from '../../client/memory-client.ts';
import { MemoryInformers } from '../../client/memory-informers.ts';
import type { KubernetesObject } from '../../object.ts';
import {
  configMaps,
  deployments,
  namespaces,
  validatingAdmissionPolicies,
  validatingAdmissionPolicyBindings,
} from '../../resources.ts';
import type { ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding } from '../../types.ts';
import { validatingAdmissionPolicy } from './plugin.ts';

type PolicySpec = NonNullable<ValidatingAdmissionPolicy['spec']>;
type BindingSpec = NonNullable<ValidatingAdmissionPolicyBinding['spec']>;

const rule = { apiGroups: ['apps'], apiVersions: ['v1'], operations: ['CREATE', 'UPDATE'], resources: ['deployments'] };

async function setUp(policy: PolicySpec, binding: Partial<BindingSpec> = {}) {
  const client = new MemoryClient();
  await client.create(namespaces, { metadata: { name: 'default', labels: { environment: 'test' } } });
  const matchConstraints = { resourceRules: [rule] };
  await client.create(validatingAdmissionPolicies, { metadata: { name: 'p' }, spec: { matchConstraints, ...policy } });
  await client.create(validatingAdmissionPolicyBindings, {
    metadata: { name: 'b' },
    spec: { policyName: 'p', validationActions: ['Deny'], ...binding },
  });
  const resources = () => ({
    all: () => [],
    ofKind: (_version: string, kind: string) => (kind === 'ConfigMap' ? configMaps : undefined),
    onChange: () => () => {},
  });
  const plugin = validatingAdmissionPolicy({ client, informers: new MemoryInformers(client), resources });
  const ask = (spec: object, more: Partial<AdmissionRequest> = {}) =>
    plugin.validate!({
      operation: 'CREATE',
      type: deployments,
      namespace: 'default',
      name: 'web',
      object: { metadata: { name: 'web', labels: { app: 'web' } }, spec } as KubernetesObject,
      oldObject: undefined,
      user: { username: 'alice', groups: ['dev'] },
      isDryRun: false,
      ...more,
    });
  return { client, ask };
}

test('a rule that does not hold denies, in upstream’s words, with the reason it chose', async () => {
  const { ask } = await setUp({ validations: [{ expression: 'object.spec.replicas <= 5' }] });
  assert.deepEqual(await ask({ replicas: 5 }), []);
  await assert.rejects(ask({ replicas: 6 }), {
    code: 422,
    reason: 'Invalid',
    message:
      "deployments.apps \"web\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: failed expression: object.spec.replicas <= 5",
  });
  await assert.rejects(ask({}), { code: 422 }, 'what cannot be evaluated fails');
  assert.deepEqual(await ask({ replicas: 9 }, { type: configMaps }), []);
  assert.deepEqual(await ask({ replicas: 9 }, { subresource: 'scale' }), []);

  const chosen = await setUp({
    validations: [
      {
        expression: 'object.spec.replicas < 2',
        reason: 'Forbidden',
        messageExpression: '"at most one, not " + string(object.spec.replicas)',
      },
    ],
  });
  await assert.rejects(chosen.ask({ replicas: 3 }), { code: 403, message: /denied request: at most one, not 3$/ });
});

test('variables, conditions, the request and the namespace can be named', async () => {
  const { ask } = await setUp({
    matchConditions: [{ name: 'not-robots', expression: 'request.userInfo.username != "robot"' }],
    variables: [
      { name: 'environment', expression: 'namespaceObject.metadata.labels.environment' },
      { name: 'limit', expression: 'variables.environment == "test" ? 1 : 100' },
      { name: 'broken', expression: 'object.spec.absent.field' },
    ],
    validations: [
      { expression: 'object.spec.replicas <= variables.limit', message: 'too many' },
      { expression: 'oldObject == null || has(object.spec.paused)', message: 'must say paused' },
    ],
  });
  assert.deepEqual(await ask({ replicas: 1 }), []);
  await assert.rejects(ask({ replicas: 2 }), /denied request: too many$/);
  assert.deepEqual(await ask({ replicas: 2 }, { user: { username: 'robot', groups: [] } }), []);
  await assert.rejects(ask({ replicas: 1 }, { operation: 'UPDATE', oldObject: { metadata: {} } }), /must say paused$/);
});

test('parameters are found by name, and missing ones decide as the binding says', async () => {
  const policy: PolicySpec = {
    paramKind: { apiVersion: 'v1', kind: 'ConfigMap' },
    validations: [{ expression: 'string(object.spec.replicas) == params.data.replicas' }],
  };
  const paramRef = { name: 'limits', parameterNotFoundAction: 'Deny' };
  const { client, ask } = await setUp(policy, { paramRef });
  await assert.rejects(ask({ replicas: 3 }), /no params found for policy binding with `Deny` parameterNotFoundAction/);
  await client.create(configMaps, { metadata: { name: 'limits', namespace: 'default' }, data: { replicas: '3' } });
  assert.deepEqual(await ask({ replicas: 3 }), []);
  await assert.rejects(ask({ replicas: 4 }), /failed expression/);
  const lenient = await setUp(policy, { paramRef: { ...paramRef, parameterNotFoundAction: 'Allow' } });
  assert.deepEqual(await lenient.ask({ replicas: 3 }), []);
});

test('bindings warn instead, choose by labels, and policies may ignore their own failures', async () => {
  const validations = [{ expression: 'false' }];
  const warning = await setUp({ validations }, { validationActions: ['Warn'] });
  assert.deepEqual(await warning.ask({}), [
    "Validation failed for ValidatingAdmissionPolicy 'p' with binding 'b': failed expression: false",
  ]);
  const elsewhere = { matchLabels: { environment: 'production' } };
  const selective = await setUp({ validations }, { matchResources: { namespaceSelector: elsewhere } });
  assert.deepEqual(await selective.ask({}), []);
  const ignoring = await setUp({ failurePolicy: 'Ignore', validations: [{ expression: 'object.spec.absent > 1' }] });
  assert.deepEqual(await ignoring.ask({}), []);
});
