import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { types } from '#kubernetes';
import { balancerWishes } from './service-annotations.ts';

const wishes = (annotations: { readonly [name: string]: string }, spec: types.Service['spec'] = {}) =>
  balancerWishes({
    metadata: {
      annotations: Object.fromEntries(
        Object.entries(annotations).map(([name, value]) => [
          `service.beta.kubernetes.io/aws-load-balancer-${name}`,
          value,
        ]),
      ),
    },
    spec,
  });

describe('annotations of services', () => {
  test('without any, a load balancer is public and leads to pods', () => {
    assert.deepEqual(wishes({}), { scheme: 'internet-facing', targetType: 'ip' });
  });

  test('what they say is wanted', () => {
    assert.deepEqual(
      wishes({
        scheme: 'internal',
        subnets: 'subnet-1, subnet-2',
        'private-ipv4-addresses': '10.0.0.9,10.0.1.9',
        'security-groups': 'sg-1',
        'target-group-attributes': 'preserve_client_ip.enabled=true,deregistration_delay.timeout_seconds=1',
        'healthcheck-path': '/ready',
      }),
      {
        scheme: 'internal',
        targetType: 'ip',
        subnetIds: ['subnet-1', 'subnet-2'],
        privateIps: ['10.0.0.9', '10.0.1.9'],
        securityGroupIds: ['sg-1'],
        targetAttributes: [
          { Key: 'preserve_client_ip.enabled', Value: 'true' },
          { Key: 'deregistration_delay.timeout_seconds', Value: '1' },
        ],
        healthCheck: { protocol: 'HTTP', path: '/ready' },
      },
    );
  });

  test('nodes are asked where they say whether they serve; pods are not', () => {
    const spec = { externalTrafficPolicy: 'Local', healthCheckNodePort: 30_100 };
    assert.deepEqual(wishes({ 'nlb-target-type': 'instance' }, spec).healthCheck, {
      protocol: 'HTTP',
      port: 30_100,
      path: '/healthz',
    });
    assert.equal(wishes({}, spec).healthCheck, undefined);
  });

  test('what cannot be had is refused by its name', () => {
    assert.throws(() => wishes({ 'ssl-cert': 'arn' }), /aws-load-balancer-ssl-cert is not supported/);
    assert.throws(() => wishes({ 'nlb-target-type': 'lambda' }), /must be "ip" or "instance"/);
    assert.throws(() => wishes({ scheme: 'internal', 'eip-allocations': 'eipalloc-1' }), /no elastic addresses/);
    assert.throws(() => wishes({ 'healthcheck-protocol': 'udp' }), /must be "tcp" or "http"/);
  });
});
