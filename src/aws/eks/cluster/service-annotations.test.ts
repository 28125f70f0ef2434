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
      port: '30100',
      path: '/healthz',
    });
    assert.equal(wishes({}, spec).healthCheck, undefined);
  });

  test('health checks are as they say, each part by itself', () => {
    assert.deepEqual(
      wishes({
        'healthcheck-protocol': 'http',
        'healthcheck-port': '8081',
        'healthcheck-path': '/ready',
        'healthcheck-success-codes': '200-299',
        'healthcheck-interval': '10',
        'healthcheck-timeout': '3',
        'healthcheck-healthy-threshold': '3',
        'healthcheck-unhealthy-threshold': '4',
      }).healthCheck,
      {
        protocol: 'HTTP',
        port: '8081',
        path: '/ready',
        matcher: '200-299',
        intervalS: 10,
        timeoutS: 3,
        healthyThreshold: 3,
        unhealthyThreshold: 4,
      },
    );
    assert.deepEqual(wishes({ 'healthcheck-interval': '30' }).healthCheck, { intervalS: 30 });
    const tcp = wishes({ 'healthcheck-protocol': 'tcp', 'healthcheck-path': '/', 'healthcheck-port': 'traffic-port' });
    assert.deepEqual(tcp.healthCheck, { protocol: 'TCP', port: 'traffic-port' });
    const spec = { healthCheckNodePort: 30_100 };
    assert.deepEqual(wishes({ 'nlb-target-type': 'instance', 'healthcheck-timeout': '4' }, spec).healthCheck, {
      protocol: 'HTTP',
      port: '30100',
      path: '/healthz',
      timeoutS: 4,
    });
    assert.throws(() => wishes({ 'healthcheck-interval': '10s' }), /healthcheck-interval must be a number, not "10s"/);
  });

  test('the load balancer has attributes and tags', () => {
    const { attributes, tags } = wishes({
      attributes: 'deletion_protection.enabled=true,load_balancing.cross_zone.enabled=false',
      'additional-resource-tags': 'team=a, stage=test',
      'cross-zone-load-balancing-enabled': 'true',
    });
    assert.deepEqual(attributes, [
      { Key: 'load_balancing.cross_zone.enabled', Value: 'true' },
      { Key: 'deletion_protection.enabled', Value: 'true' },
      { Key: 'load_balancing.cross_zone.enabled', Value: 'false' },
    ]);
    assert.deepEqual(tags, { team: 'a', stage: 'test' });
  });

  test('what changes nothing that is served is told', () => {
    assert.deepEqual(wishes({ name: 'web', type: 'external' }).warnings, [
      'The annotation service.beta.kubernetes.io/aws-load-balancer-name is not supported and has no effect',
    ]);
  });

  test('what cannot be had is refused by its name', () => {
    assert.throws(() => wishes({ 'ssl-cert': 'arn' }), /aws-load-balancer-ssl-cert is not supported/);
    assert.throws(() => wishes({ 'nlb-target-type': 'lambda' }), /must be "ip" or "instance"/);
    assert.throws(() => wishes({ scheme: 'internal', 'eip-allocations': 'eipalloc-1' }), /no elastic addresses/);
    assert.throws(() => wishes({ 'healthcheck-protocol': 'udp' }), /must be "tcp", "http" or "https"/);
    assert.throws(() => wishes({ 'ip-address-type': 'dualstack' }), /with "ipv4" alone/);
    assert.throws(() => wishes({ 'target-node-labels': 'a=b' }), /target-node-labels is not supported/);
  });
});
