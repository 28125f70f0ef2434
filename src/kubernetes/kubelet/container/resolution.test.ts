import assert from 'node:assert/strict';
import { test } from 'node:test';
import type * as types from '../../types.ts';
import { hostsText, podNames } from './hosts.ts';
import { resolutionOf } from './resolution.ts';

const cluster = { dnsAddress: '172.20.0.10', domain: 'cluster.local' };
const node = { nameservers: ['10.0.0.2'], searchDomains: ['ec2.internal'] };
const resolve = (spec: Partial<types.PodSpec>) =>
  resolutionOf({ metadata: { namespace: 'n' }, spec: { containers: [], ...spec } }, cluster, node);

test('the cluster’s names come first by default', () => {
  assert.deepEqual(resolve({}), {
    nameservers: ['172.20.0.10'],
    searchDomains: ['n.svc.cluster.local', 'svc.cluster.local', 'cluster.local', 'ec2.internal'],
    options: ['ndots:5'],
  });
});

test('in the node’s network the node’s names are used, unless asked otherwise', () => {
  assert.deepEqual(resolve({ hostNetwork: true }).nameservers, ['10.0.0.2']);
  assert.deepEqual(resolve({ dnsPolicy: 'Default' }).searchDomains, ['ec2.internal']);
  assert.deepEqual(resolve({ hostNetwork: true, dnsPolicy: 'ClusterFirstWithHostNet' }).nameservers, ['172.20.0.10']);
});

test('a pod’s own configuration comes on top, or stands alone', () => {
  const dnsConfig = {
    nameservers: ['1.1.1.1'],
    searches: ['own'],
    options: [{ name: 'ndots', value: '2' }, { name: 'edns0' }],
  };
  assert.deepEqual(resolve({ dnsPolicy: 'None', dnsConfig }), {
    nameservers: ['1.1.1.1'],
    searchDomains: ['own'],
    options: ['ndots:2', 'edns0'],
  });
  assert.deepEqual(resolve({ dnsConfig }).options, ['ndots:2', 'edns0']);
});

test('a pod is called as its spec says', () => {
  const pod = { metadata: { namespace: 'n', name: 'web-0' }, spec: { containers: [], subdomain: 'db' } };
  assert.deepEqual(podNames(pod, 'cluster.local'), { hostname: 'web-0', fqdn: 'web-0.db.n.svc.cluster.local' });
  assert.match(
    hostsText(pod, { podIp: '10.0.0.9', domain: 'cluster.local' }),
    /10\.0\.0\.9\tweb-0\.db\.n\.svc\.cluster\.local\tweb-0\n/,
  );
  const long = { metadata: { namespace: 'n', name: `${'x'.repeat(62)}-y` }, spec: { containers: [] } };
  assert.equal(podNames(long, 'cluster.local').hostname, 'x'.repeat(62));
});
