/** Network policies between pods, asserted by requests from inside the cluster. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type NodeCluster, Pods, startNodeCluster } from './with-nodes.ts';

let cluster: NodeCluster;
let pods: Pods;
before(
  async () => {
    cluster = await startNodeCluster();
    pods = await Pods.in(cluster.api, 'filtered');
  },
  { timeout: 180_000 },
);
after(async () => await cluster?.[Symbol.asyncDispose](), { timeout: 120_000 });

test('a policy holds from the first packet of a pod', { timeout: 90_000 }, async () => {
  const probe = { readinessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1 } };
  const server = await pods.ready(pods.pod('mkdir -p /w; cd /w; echo open > who; exec httpd -f -p 8080', probe));
  // The shell tells of a command that was ended for its time, too.
  const script = `exec 2> /dev/null; timeout 1 wget -q -O- http://${server.status.podIP}:8080/who || echo closed`;
  assert.equal(await pods.output(script), 'open');
  await cluster.api.post(`/apis/networking.k8s.io/v1/namespaces/${pods.namespace}/networkpolicies`, {
    metadata: { name: 'cut' },
    spec: { podSelector: { matchLabels: { app: 'cut' } }, policyTypes: ['Egress'] },
  });
  for (let round = 0; round < 5; round++)
    assert.equal(await pods.output(script, {}, {}, { labels: { app: 'cut' } }), 'closed');
  assert.equal(await pods.output(script), 'open', 'who is not selected');
});
