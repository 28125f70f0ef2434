/** Services, names and traffic between pods as upstream's sig-network tests use them: asserted by requests from inside the cluster. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Json, until, Watch } from './api.ts';
import { imageWithNode, type NodeCluster, Pods, startNodeCluster } from './with-nodes.ts';

let cluster: NodeCluster;
let pods: Pods;
/** A pod that asks the others. */
let client: string;
before(
  async () => {
    cluster = await startNodeCluster();
    pods = await Pods.in(cluster.api, 'network');
    client = (await pods.ready(pods.pod('sleep 3600'))).metadata.name;
  },
  { timeout: 180_000 },
);
after(async () => await cluster?.[Symbol.asyncDispose](), { timeout: 120_000 });

const options = { timeout: 90_000 };

/** What a shell script prints inside the client pod, or another. */
async function inside(script: string, pod = client): Promise<string> {
  return (await cluster.kubectl('exec', '-n', pods.namespace, pod, '--', 'sh', '-c', script)).trim();
}

/** A pod that answers its own name over HTTP on 8080. */
async function server(app: string, extra: Json = {}): Promise<Json> {
  const script = 'mkdir -p /w; cd /w; hostname > who; exec httpd -f -p 8080';
  const pod = pods.pod(
    script,
    { readinessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1 }, ports: [{ name: 'http', containerPort: 8080 }] },
    { restartPolicy: 'Always', ...extra },
  );
  return await pods.ready({ ...pod, metadata: { ...pod.metadata, labels: { app } } });
}

async function service(name: string, spec: Json): Promise<Json> {
  return await pods.create('services', {
    metadata: { name },
    spec: { selector: { app: name }, ports: [{ port: 80, targetPort: 8080 }], ...spec },
  });
}

/** The names that answer to `count` requests. */
async function answering(url: string, count = 20): Promise<Set<string>> {
  const said = await inside(`for i in $(seq ${count}); do timeout 2 wget -q -O- ${url} || echo FAILED; done`);
  return new Set(said.split('\n').filter(Boolean));
}

/** Asks until exactly these answer. */
async function reaches(url: string, names: readonly string[]): Promise<void> {
  let seen: string[] = [];
  for (const deadline = Date.now() + 30_000; Date.now() < deadline;) {
    seen = [...(await answering(url))].sort();
    if (JSON.stringify(seen) === JSON.stringify([...names].sort())) return;
  }
  assert.deepEqual(seen, [...names].sort(), url);
}

test('[sig-network] Services should serve a basic endpoint from pods', options, async () => {
  await service('basic', {});
  const slices = `/apis/discovery.k8s.io/v1/namespaces/${pods.namespace}/endpointslices?labelSelector=kubernetes.io/service-name%3Dbasic`;
  assert.equal((await pods.api.get(slices)).items.flatMap(({ endpoints }: Json) => endpoints ?? []).length, 0);
  const one = (await server('basic')).metadata.name;
  const two = (await server('basic')).metadata.name;
  await reaches('http://basic/who', [one, two]);
  await pods.api.delete(pods.path('pods', one), { gracePeriodSeconds: 0 });
  await reaches('http://basic/who', [two]);
});

test('[sig-network] Services should serve multiport endpoints from pods', options, async () => {
  await service('multi', {
    ports: [
      { name: 'one', port: 80, targetPort: 8080 },
      { name: 'two', port: 81, targetPort: 'http' },
    ],
  });
  const { metadata } = await server('multi');
  for (const port of [80, 81]) await reaches(`http://multi:${port}/who`, [metadata.name]);
});

const affinity = { sessionAffinity: 'ClientIP' };
async function two(app: string): Promise<string[]> {
  return [(await server(app)).metadata.name, (await server(app)).metadata.name];
}
const address = async (name: string): Promise<string> =>
  (await pods.api.get(pods.path('services', name))).spec.clusterIP;
async function nodePort(name: string): Promise<string> {
  const { spec } = await pods.api.get(pods.path('services', name));
  const { items } = await pods.api.get('/api/v1/nodes');
  const { address } = items[0].status.addresses.find(({ type }: Json) => type === 'InternalIP');
  return `http://${address}:${spec.ports[0].nodePort}/who`;
}

test('[sig-network] Services should have session affinity work for service with type clusterIP', options, async () => {
  await service('sticky', affinity);
  const servers = await two('sticky');
  const [seen, ...others] = await answering(`http://${await address('sticky')}/who`);
  assert.ok(others.length === 0 && servers.includes(seen!));
});

test(
  '[sig-network] Services should be able to switch session affinity for service with type clusterIP',
  options,
  async () => {
    await service('switch', affinity);
    const servers = await two('switch');
    const url = `http://${await address('switch')}/who`;
    assert.equal((await answering(url)).size, 1);
    await pods.api.patch(pods.path('services', 'switch'), { spec: { sessionAffinity: 'None' } });
    await reaches(url, servers);
    await pods.api.patch(pods.path('services', 'switch'), { spec: affinity });
    const single = async (): Promise<boolean> => (await answering(url)).size === 1;
    for (const deadline = Date.now() + 20_000; !(await single());) assert.ok(Date.now() < deadline);
  },
);

test('[sig-network] Services should be able to create a functioning NodePort service', options, async () => {
  await service('node-port', { type: 'NodePort' });
  await reaches(
    await nodePort('node-port').then(async (url) => (await two('node-port'), url)),
    (await pods.api.get(`${pods.path('pods')}?labelSelector=app%3Dnode-port`)).items.map(
      ({ metadata }: Json) => metadata.name,
    ),
  );
});

test('[sig-network] Services should have session affinity work for NodePort service', options, async () => {
  await service('node-sticky', { type: 'NodePort', ...affinity });
  await two('node-sticky');
  assert.equal((await answering(await nodePort('node-sticky'))).size, 1);
});

test('[sig-network] Services should be able to switch session affinity for NodePort service', options, async () => {
  await service('node-switch', { type: 'NodePort', ...affinity });
  const servers = await two('node-switch');
  const url = await nodePort('node-switch');
  assert.equal((await answering(url)).size, 1);
  await pods.api.patch(pods.path('services', 'node-switch'), { spec: { sessionAffinity: 'None' } });
  await reaches(url, servers);
});

const external = (name: string): Json => ({
  metadata: { name },
  spec: { type: 'ExternalName', externalName: `target.${pods.namespace}.svc.cluster.local` },
});
const become = async (name: string, spec: Json): Promise<Json> => {
  const { spec: before, ...rest } = await pods.api.get(pods.path('services', name));
  const { externalName: _, clusterIP: __, clusterIPs: ___, ...kept } = before;
  return await pods.api.put(pods.path('services', name), {
    ...rest,
    spec: { ...(spec.type === 'ExternalName' ? { externalName: spec.externalName } : kept), ...spec },
  });
};

test('[sig-network] Services should be able to change the type from ExternalName to ClusterIP', options, async () => {
  await pods.create('services', external('to-cluster'));
  const { metadata } = await server('to-cluster');
  const changed = await become('to-cluster', {
    type: 'ClusterIP',
    selector: { app: 'to-cluster' },
    ports: [{ port: 80, targetPort: 8080 }],
  });
  assert.match(changed.spec.clusterIP, /^\d/);
  await reaches('http://to-cluster/who', [metadata.name]);
});

test('[sig-network] Services should be able to change the type from ExternalName to NodePort', options, async () => {
  await pods.create('services', external('to-node'));
  const { metadata } = await server('to-node');
  const changed = await become('to-node', {
    type: 'NodePort',
    selector: { app: 'to-node' },
    ports: [{ port: 80, targetPort: 8080 }],
  });
  assert.ok(changed.spec.ports[0].nodePort >= 30_000);
  await reaches('http://to-node/who', [metadata.name]);
});

for (const type of ['ClusterIP', 'NodePort'])
  test(`[sig-network] Services should be able to change the type from ${type} to ExternalName`, options, async () => {
    const name = `from-${type.toLowerCase()}`;
    await service(name, { type });
    if (type === 'ClusterIP') await service('target', {});
    const changed = await become(name, {
      type: 'ExternalName',
      externalName: `target.${pods.namespace}.svc.cluster.local`,
    });
    assert.deepEqual([changed.spec.type, changed.spec.clusterIP], ['ExternalName', undefined]);
    for (
      const deadline = Date.now() + 20_000;
      !(await inside(`nslookup -type=cname ${name}.${pods.namespace}.svc.cluster.local || true`)).includes('target.');
    )
      assert.ok(Date.now() < deadline, 'the name leads elsewhere');
  });

for (const origin of ['intra-pod', 'node-pod'] as const)
  test(
    `[sig-network] Networking Granular Checks: Pods should function for ${origin} communication: http`,
    options,
    async () => {
      const { metadata, status } = await server(`granular-${origin}`);
      const from =
        origin === 'intra-pod'
          ? client
          : (await pods.ready(pods.pod('sleep 600', {}, { hostNetwork: true }))).metadata.name;
      assert.equal(await inside(`timeout 5 wget -q -O- http://${status.podIP}:8080/who`, from), metadata.name);
    },
  );

/** A pod that answers its own name over UDP and TCP on 8081. */
async function nodeServer(app: string, container: Json = {}, spec: Json = {}): Promise<Json> {
  const script = `
    const name = require('node:os').hostname();
    // A probe hangs up as soon as it is connected, which may reset what is being answered.
    require('node:net').createServer((socket) => socket.on('error', () => {}).end(name)).listen(8081);
    const udp = require('node:dgram').createSocket('udp4');
    udp.on('message', (_, { port, address }) => udp.send(name, port, address)).bind(8081, () => console.log('ready'))`;
  const pod = pods.pod(
    '',
    {
      image: await imageWithNode(cluster.dabba),
      command: ['node', '-e', script],
      readinessProbe: { tcpSocket: { port: 8081 }, periodSeconds: 1 },
      ...container,
    },
    spec,
  );
  return await pods.ready({ ...pod, metadata: { ...pod.metadata, labels: { app } } });
}
/** Who answers there. */
async function asked(protocol: 'udp' | 'tcp', host: string, port: number, spec: Json = {}): Promise<string> {
  const scripts = {
    udp: `
      const udp = require('node:dgram').createSocket('udp4');
      udp.on('message', (name) => { console.log(String(name)); process.exit(); });
      const send = () => udp.send('who', ${port}, '${host}');
      send(); setInterval(send, 500); setTimeout(() => { console.log('nobody'); process.exit(); }, 8000)`,
    tcp: `
      const ends = Date.now() + 8000;
      const ask = () => {
        const socket = require('node:net').connect(${port}, '${host}');
        socket.on('data', (name) => { console.log(String(name)); process.exit(); });
        socket.on('error', () => { if (Date.now() < ends) setTimeout(ask, 300); });
      };
      ask(); setTimeout(() => { console.log('nobody'); process.exit(); }, 8000)`,
  };
  const container = { image: await imageWithNode(cluster.dabba), command: ['node', '-e', scripts[protocol]] };
  return await pods.output('', container, spec);
}
for (const origin of ['intra-pod', 'node-pod'] as const)
  test(
    `[sig-network] Networking Granular Checks: Pods should function for ${origin} communication: udp`,
    options,
    async () => {
      const { metadata, status } = await nodeServer(`udp-${origin}`);
      const spec = origin === 'intra-pod' ? {} : { hostNetwork: true };
      assert.equal(await asked('udp', status.podIP, 8081, spec), metadata.name);
    },
  );
test('[sig-network] Services should serve endpoints on same port and different protocols', options, async () => {
  const { metadata } = await nodeServer('protocols');
  const port = (protocol: string): Json => ({ name: protocol.toLowerCase(), protocol, port: 80, targetPort: 8081 });
  await service('protocols', { ports: [port('TCP'), port('UDP')] });
  const host = await address('protocols');
  for (const protocol of ['tcp', 'udp'] as const)
    assert.equal(await asked(protocol, host, 80), metadata.name, protocol);
  const endpoints = await until(
    pods.api,
    pods.path('endpoints', 'protocols'),
    ({ subsets }) => subsets?.[0]?.ports.length === 2,
  );
  assert.deepEqual(endpoints.subsets[0].ports.map(({ protocol }: Json) => protocol).sort(), ['TCP', 'UDP']);
  // Without the one, the other goes on.
  await pods.api.patch(pods.path('services', 'protocols'), { spec: { ports: [port('UDP')] } });
  await until(pods.api, pods.path('endpoints', 'protocols'), ({ subsets }) => subsets?.[0]?.ports.length === 1);
  assert.equal(await asked('udp', host, 80), metadata.name);
  assert.equal(await asked('tcp', host, 80), 'nobody');
});

test(
  '[sig-network] HostPort validates that there is no conflict between pods with same hostPort but different hostIP and protocol',
  options,
  async () => {
    const { items } = await pods.api.get('/api/v1/nodes');
    const { metadata, status } = items[0];
    const on = { nodeSelector: { 'kubernetes.io/hostname': metadata.labels['kubernetes.io/hostname'] } };
    const own = status.addresses.find(({ type }: Json) => type === 'InternalIP').address as string;
    const at = async (hostIP: string, protocol: string): Promise<string> => {
      const ports = [{ containerPort: 8081, hostPort: 54323, hostIP, protocol }];
      return (await nodeServer('host-port', { ports }, on)).metadata.name;
    };
    const loopback = await at('127.0.0.1', 'TCP');
    const tcp = await at(own, 'TCP');
    const udp = await at(own, 'UDP');
    const there = { hostNetwork: true, ...on };
    assert.equal(await asked('tcp', '127.0.0.1', 54323, there), loopback);
    assert.equal(await asked('tcp', own, 54323, there), tcp);
    assert.equal(await asked('udp', own, 54323, there), udp);
  },
);

// Names

const resolves = async (name: string, expected: string | RegExp, type = 'a'): Promise<void> => {
  const ask = async (): Promise<string> => await inside(`nslookup -type=${type} ${name} 2>&1 || true`);
  const holds = (text: string): boolean =>
    typeof expected === 'string' ? text.includes(expected) : expected.test(text);
  let said = await ask();
  for (const deadline = Date.now() + 20_000; !holds(said) && Date.now() < deadline;) said = await ask();
  assert.ok(holds(said), `${name}: ${said}`);
};
const fqdn = (name: string): string => `${name}.${pods.namespace}.svc.cluster.local`;

test('[sig-network] DNS should provide DNS for the cluster', options, async () => {
  const kubernetes = (await pods.api.get('/api/v1/namespaces/default/services/kubernetes')).spec.clusterIP;
  await resolves('kubernetes.default.svc.cluster.local', kubernetes);
});
test('[sig-network] DNS should provide DNS for services', options, async () => {
  await service('named', { ports: [{ name: 'http', port: 80, targetPort: 8080 }] });
  await pods.create('services', {
    metadata: { name: 'headless' },
    spec: { clusterIP: 'None', selector: { app: 'headless' }, ports: [{ name: 'http', port: 80 }] },
  });
  const { status } = await server('headless');
  await resolves(fqdn('named'), await address('named'));
  await resolves(fqdn('headless'), status.podIP);
  await resolves(`_http._tcp.${fqdn('named')}`, /80\s+named\./, 'srv');
  const reversed = (await address('named')).split('.').reverse().join('.');
  await resolves(`${reversed}.in-addr.arpa`, fqdn('named'), 'ptr');
});
test('[sig-network] DNS should resolve DNS of partial qualified names for services', options, async () => {
  await service('partial', {});
  const { metadata } = await server('partial');
  for (const name of ['partial', `partial.${pods.namespace}`, `partial.${pods.namespace}.svc`])
    await reaches(`http://${name}/who`, [metadata.name]);
});
test('[sig-network] DNS should provide DNS for pods for Hostname', options, async () => {
  await pods.create('services', {
    metadata: { name: 'hostnames' },
    spec: { clusterIP: 'None', selector: { app: 'hostnames' }, ports: [{ port: 80 }] },
  });
  const { status } = await server('hostnames', { hostname: 'dns-querier', subdomain: 'hostnames' });
  await resolves(`dns-querier.${fqdn('hostnames')}`, status.podIP);
});
test('[sig-network] DNS should provide DNS for pods for Subdomain', options, async () => {
  await pods.create('services', {
    metadata: { name: 'subdomain' },
    spec: { clusterIP: 'None', selector: { app: 'subdomain' }, ports: [{ port: 80 }] },
  });
  const pod = await server('subdomain', { hostname: 'first', subdomain: 'subdomain' });
  assert.equal(await inside('hostname -f', pod.metadata.name), `first.${fqdn('subdomain')}`);
  await resolves(`first.${fqdn('subdomain')}`, pod.status.podIP);
});
test('[sig-network] DNS should provide DNS for ExternalName services', options, async () => {
  await pods.create('services', {
    metadata: { name: 'alias' },
    spec: { type: 'ExternalName', externalName: 'foo.example.com' },
  });
  await resolves(fqdn('alias'), 'foo.example.com', 'cname');
  await pods.api.patch(pods.path('services', 'alias'), { spec: { externalName: 'bar.example.com' } });
  await resolves(fqdn('alias'), 'bar.example.com', 'cname');
});
test('[sig-network] DNS should provide /etc/hosts entries for the cluster', options, async () => {
  const { status, metadata } = await pods.api.get(pods.path('pods', client));
  assert.ok((await inside('cat /etc/hosts')).includes(`${status.podIP}\t${metadata.name}`));
});
test('[sig-network] DNS should support configurable pod DNS nameservers', options, async () => {
  const dns = {
    dnsPolicy: 'None',
    dnsConfig: { nameservers: ['1.1.1.1'], searches: ['resolv.conf.local'], options: [{ name: 'ndots', value: '2' }] },
  };
  const file = await pods.output('cat /etc/resolv.conf', {}, dns);
  for (const line of ['nameserver 1.1.1.1', 'search resolv.conf.local', 'options ndots:2'])
    assert.ok(file.split('\n').includes(line), line);
});

// Endpoints

test('[sig-network] EndpointsController should create Endpoints for Pods matching a Service', options, async () => {
  await service('matching', {});
  const { status } = await server('matching');
  const endpoints = await until(
    pods.api,
    pods.path('endpoints', 'matching'),
    ({ subsets }) => subsets?.[0]?.addresses?.length === 1,
  );
  assert.equal(endpoints.subsets[0].addresses[0].ip, status.podIP);
});
test(
  '[sig-network] EndpointSlice should create Endpoints and EndpointSlices for Pods matching a Service',
  options,
  async () => {
    await service('sliced', { publishNotReadyAddresses: true });
    const { status } = await server('sliced');
    await until(
      pods.api,
      pods.path('endpoints', 'sliced'),
      ({ subsets }) => subsets?.[0]?.addresses?.[0]?.ip === status.podIP,
    );
    const slices = `/apis/discovery.k8s.io/v1/namespaces/${pods.namespace}/endpointslices`;
    const { items } = await pods.api.get(`${slices}?labelSelector=kubernetes.io/service-name%3Dsliced`);
    await until(
      pods.api,
      `${slices}/${items[0].metadata.name}`,
      ({ endpoints }) => endpoints?.[0]?.addresses[0] === status.podIP && endpoints[0].conditions.ready,
    );
  },
);
for (const what of ['endpoint IPs', 'ports'])
  test(
    `[sig-network] EndpointSlice should support a Service with multiple ${what} specified in multiple EndpointSlices`,
    options,
    async () => {
      const name = `slices-${what.replace(' ', '-').toLowerCase()}`;
      const servers = [await server(`${name}-of`), await server(`${name}-of`)];
      const ports =
        what === 'ports'
          ? [
              { name: 'p0', port: 80 },
              { name: 'p1', port: 81 },
            ]
          : [{ name: 'p0', port: 80 }];
      await pods.create('services', { metadata: { name }, spec: { ports } });
      for (const [n, { status }] of servers.entries())
        await pods.api.post(`/apis/discovery.k8s.io/v1/namespaces/${pods.namespace}/endpointslices`, {
          metadata: { name: `${name}-${n}`, labels: { 'kubernetes.io/service-name': name } },
          addressType: 'IPv4',
          endpoints: [{ addresses: [status.podIP], conditions: { ready: true } }],
          ports: [{ name: what === 'ports' ? `p${n}` : 'p0', port: 8080, protocol: 'TCP' }],
        });
      const names = servers.map(({ metadata }) => metadata.name as string);
      if (what === 'ports') for (const n of [0, 1]) await reaches(`http://${name}:${80 + n}/who`, [names[n]!]);
      else await reaches(`http://${name}/who`, names);
    },
  );

test('[sig-network] Proxy version v1 should proxy through a service and a pod', options, async () => {
  await service('proxied', { ports: [{ name: 'http', port: 80, targetPort: 8080 }] });
  const { metadata } = await server('proxied');
  await reaches('http://proxied/who', [metadata.name]);
  for (const path of [`pods/${metadata.name}:8080`, `services/proxied:http`, `services/http:proxied:80`])
    assert.equal(
      (await pods.api.get(`/api/v1/namespaces/${pods.namespace}/${path}/proxy/who`)).trim(),
      metadata.name,
      path,
    );
});
for (const title of [
  'A set of valid responses are returned for both pod and service Proxy',
  'A set of valid responses are returned for both pod and service ProxyWithPath',
])
  test(`[sig-network] Proxy version v1 ${title}`, options, async () => {
    const name = title.endsWith('Path') ? 'proxy-path' : 'proxy';
    await service(name, {});
    const { metadata } = await server(name);
    await reaches(`http://${name}/who`, [metadata.name]);
    const rest = title.endsWith('Path') ? '/who' : '/';
    for (const path of [`pods/${metadata.name}:8080`, `services/${name}:80`])
      for (const method of ['GET', 'HEAD']) {
        const answer = await pods.api.call(method, `/api/v1/namespaces/${pods.namespace}/${path}/proxy${rest}`);
        // The server has no index: that answer, too, is its own.
        assert.equal(answer.status, rest === '/' ? 404 : 200, `${method} ${path}`);
      }
  });
test('[sig-network] Service endpoints latency should not be very high', options, async () => {
  await server('latency');
  // Upstream makes two hundred, and allows fifty seconds for the slowest.
  const names = Array.from({ length: 200 }, (_, index) => `latency-${index}`);
  await using watch = await Watch.on(pods.api, pods.path('endpoints'), 60_000);
  const madeAt = new Map<string, number>();
  const took: number[] = [];
  const seen = (async () => {
    while (took.length < names.length) {
      const { metadata } = await watch
        .next('ADDED', ({ metadata: { name }, subsets }) => madeAt.has(name) && subsets?.[0]?.addresses)
        .catch(() => assert.fail(`only ${took.length} services got their endpoints`));
      took.push(performance.now() - madeAt.get(metadata.name)!);
      madeAt.delete(metadata.name);
    }
  })();
  for (const name of names) {
    madeAt.set(name, performance.now());
    await service(name, { selector: { app: 'latency' } });
  }
  await seen;
  took.sort((a, b) => a - b);
  assert.ok(took[100]! < 20_000 && took.at(-1)! < 50_000, `median ${took[100]} ms, slowest ${took.at(-1)} ms`);
  for (const name of names) await pods.api.delete(pods.path('services', name));
});
