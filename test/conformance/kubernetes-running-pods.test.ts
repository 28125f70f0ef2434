/** What kubectl does with pods that run: commands, terminals, files, ports, logs, debugging, usage, and taking a node out of service. On an EKS cluster with two nodes. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import { Cluster } from '../harness/cluster.ts';
import { busybox as image, Dabba, type Outcome } from '../harness/dabba.ts';
import { kubectls } from '../harness/kubectls.ts';
import { eventually } from '../harness/machine.ts';

const options = { timeout: 360_000 };
let dabba: Dabba;
let cluster: Cluster;

before(
  async () => {
    dabba = await Dabba.withBusybox();
    cluster = await Cluster.create(dabba, 'c', 't3.medium');
    await cluster.useToken();
  },
  { timeout: 720_000 },
);
after(async () => await dabba?.[Symbol.asyncDispose](), { timeout: 480_000 });

const container = (name: string, script: string, more: object = {}) => ({
  name,
  image,
  command: ['sh', '-c', script],
  ...more,
});
const pod = (name: string, containers: readonly object[], spec: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, labels: { app: name } },
  spec: { terminationGracePeriodSeconds: 1, containers, ...spec },
});

const linesOf = (child: ChildProcess) => createInterface(child.stdout!)[Symbol.asyncIterator]();
const nextOf = async (lines: AsyncIterator<string>): Promise<string> => {
  const next = await lines.next();
  assert.ok(!next.done, 'it ended');
  return next.value;
};

for (const { version, program } of kubectls)
  describe(`kubectl ${version}`, () => {
    const namespace = `with-${version.replace(/\W+/g, '-')}`;
    const env = () => ({ ...process.env, ...dabba.environment, KUBECONFIG: cluster.kubeconfig, HOME: dabba.work });
    const run = async (args: readonly string[], input?: string): Promise<Outcome> =>
      await cluster.run(program, ['-n', namespace, ...args], input);
    const says = async (...args: readonly string[]): Promise<string> => {
      const { status, stdout, stderr } = await run(args);
      assert.equal(status, 0, `kubectl ${args.join(' ')}: ${stderr}`);
      return stdout;
    };
    /** One that goes on until it is told to end. */
    const start = (...args: readonly string[]): ChildProcess =>
      spawn(program, ['-n', namespace, ...args], { env: env(), stdio: ['pipe', 'pipe', 'pipe'] });
    const end = async (child: ChildProcess): Promise<void> => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill();
      await once(child, 'exit');
    };
    /** kubectl at a terminal, which types `typed` and shows what it is shown. */
    const atTerminal = async (typed: string, ...args: readonly string[]): Promise<string> => {
      const line = [program, '-n', namespace, ...args].map((word) => `'${word.replaceAll("'", String.raw`'\''`)}'`);
      const child = spawn('script', ['-qec', `stty cols 101 rows 33; ${line.join(' ')}`, '/dev/null'], { env: env() });
      child.stdin.write(typed);
      const [shown] = await Promise.all([text(child.stdout), once(child, 'exit')]);
      return shown;
    };
    /** Says when the terminal is as large as kubectl's, of which it hears a moment after it was made. */
    const sized = 'until test "$(stty size)" = "33 101"; do sleep 0.1; done; echo si""zed';
    const ready = async (...objects: readonly object[]): Promise<void> => {
      await cluster.apply(namespace, ...objects);
      for (const { kind, metadata } of objects as readonly { kind: string; metadata: { name: string } }[])
        if (kind === 'Pod') await says('wait', '--for=condition=Ready', `pod/${metadata.name}`, '--timeout=120s');
    };

    before(async () => {
      await cluster.kubectl('create', 'namespace', namespace);
      const web = container('web', 'mkdir /srv; echo page > /srv/index.html; echo up; exec httpd -f -p 8080 -h /srv', {
        ports: [{ containerPort: 8080 }],
        resources: { requests: { cpu: '10m', memory: '8Mi' } },
      });
      const beside = container('beside', 'echo beside; while true; do sleep 1; done');
      await ready(pod('web', [web, beside]), {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'web' },
        spec: { selector: { app: 'web' }, ports: [{ name: 'http', port: 80, targetPort: 8080 }] },
      });
    });

    test('exec: streams apart, input, exit code, a terminal with its size', options, async () => {
      const ran = await run(['exec', 'web', '-c', 'web', '--', 'sh', '-c', 'echo out; echo err >&2; exit 7']);
      assert.deepEqual([ran.status, ran.stdout], [7, 'out\n']);
      assert.match(ran.stderr, /^err\n.*command terminated with exit code 7/s);
      const counted = await run(['exec', '-i', 'web', '-c', 'web', '--', 'wc', '-c'], 'x'.repeat(100_000));
      assert.equal(counted.stdout.trim(), '100000');
      assert.match(await says('exec', 'web', '--', 'hostname'), /^web/, 'the first container, unless another is named');
      const shown = await atTerminal('', 'exec', '-it', 'web', '-c', 'web', '--', 'sh', '-c', `tty; ${sized}; exit 3`);
      assert.match(shown, /\/dev\/pts\/\d+\r\n[^]*sized\r\n/);
      const missing = await run(['exec', 'web', '--', 'nosuch']);
      assert.notEqual(missing.status, 0);
      assert.match(missing.stderr, /executable file not found in \$PATH/);
      assert.match((await run(['exec', 'nobody', '--', 'true'])).stderr, /pods "nobody" not found/);
      assert.match(
        (await run(['exec', 'web', '-c', 'none', '--', 'true'])).stderr,
        /container none.*(not found|not valid)/,
      );
      assert.equal((await says('exec', 'service/web', '-c', 'web', '--', 'cat', '/srv/index.html')).trim(), 'page');
    });

    test('attach: what the process itself says, and what it is told', options, async () => {
      const reader = container('reader', 'while read line; do echo "got $line"; done; echo ended; sleep 600', {
        stdin: true,
      });
      await ready(pod('attached', [reader]));
      const attached = start('attach', '-i', 'attached');
      try {
        const lines = linesOf(attached);
        attached.stdin!.write('one\n');
        assert.match(await nextOf(lines), /got one/);
        attached.stdin!.write('two\n');
        assert.match(await nextOf(lines), /got two/);
      } finally {
        await end(attached);
      }
      assert.match(await says('logs', 'attached'), /got one\ngot two/);
      const shell = container('shell', 'exec sh', { stdin: true, tty: true });
      await ready(pod('terminal', [shell]));
      const shown = await atTerminal(`${sized}; exit\n`, 'attach', '-it', 'terminal');
      assert.match(shown, /sized/);
    });

    test('run: attached, removed afterwards, with its exit code', options, async () => {
      const ran = await run(
        [
          'run',
          'once',
          '--rm',
          '-i',
          '--restart=Never',
          `--image=${image}`,
          '--',
          'sh',
          '-c',
          'read x; echo got $x; exit 5',
        ],
        'typed\n',
      );
      assert.match(ran.stdout, /got typed/);
      assert.equal(ran.status, 5, ran.stderr);
      assert.match((await run(['get', 'pod', 'once'])).stderr, /NotFound/);
      const shown = await atTerminal(
        'echo $((6*7)); exit\n',
        'run',
        'shell',
        '--rm',
        '-it',
        '--restart=Never',
        `--image=${image}`,
        '--',
        'sh',
      );
      assert.match(shown, /42/);
      assert.match(shown, /pod "shell" deleted/);
    });

    test('cp: files and folders, both ways', options, async () => {
      const folder = join(dabba.work, `${namespace}-files`);
      mkdirSync(join(folder, 'in/deep'), { recursive: true });
      const big = Buffer.alloc(3_000_000, 'dabba');
      writeFileSync(join(folder, 'in/deep/big'), big);
      writeFileSync(join(folder, 'in/small'), 'small\n');
      await says('cp', '-c', 'web', join(folder, 'in'), 'web:/tmp/copied');
      assert.equal(await says('exec', 'web', '-c', 'web', '--', 'cat', '/tmp/copied/small'), 'small\n');
      await says('cp', '-c', 'web', `${namespace}/web:/tmp/copied`, join(folder, 'out'));
      assert.ok(readFileSync(join(folder, 'out/deep/big')).equals(big));
      await says('cp', '-c', 'web', 'web:/tmp/copied/small', join(folder, 'alone'), '--retries=2');
      assert.equal(readFileSync(join(folder, 'alone'), 'utf8'), 'small\n');
      const missing = await run(['cp', '-c', 'web', 'web:/nothing', join(folder, 'nothing')]);
      assert.match(missing.stdout + missing.stderr, /No such file/);
    });

    test(
      'port-forward: to a pod and to a service, many connections, and a port where nobody listens',
      options,
      async () => {
        for (const target of ['pod/web', 'service/web']) {
          const forward = start('port-forward', target, target === 'pod/web' ? ':8080' : ':80');
          try {
            const lines = createInterface(forward.stdout!);
            const [line] = (await once(lines, 'line')) as [string];
            const port = /127\.0\.0\.1:(\d+) -> 8080/.exec(line)?.[1];
            const answers = Array.from(
              { length: 8 },
              async () => await (await fetch(`http://127.0.0.1:${port}/index.html`)).text(),
            );
            assert.deepEqual(new Set(await Promise.all(answers)), new Set(['page\n']));
          } finally {
            await end(forward);
          }
        }
        const nobody = start('port-forward', 'pod/web', ':9999');
        try {
          const [line] = (await once(createInterface(nobody.stdout!), 'line')) as [string];
          const said = once(createInterface(nobody.stderr!), 'line');
          await assert.rejects(fetch(`http://127.0.0.1:${/:(\d+) ->/.exec(line)?.[1]}/`));
          assert.match(String(await said), /error forwarding port 9999|connection refused/i);
        } finally {
          await end(nobody);
        }
      },
    );

    test(
      'logs: of one container, of all, of a selection, of the run before, from a time on, followed',
      options,
      async () => {
        assert.equal(await says('logs', 'web', '-c', 'beside'), 'beside\n');
        assert.deepEqual((await says('logs', 'web', '--all-containers')).trim().split('\n').sort(), ['beside', 'up']);
        assert.match(await says('logs', '-l', 'app=web', '--all-containers', '--prefix'), /\[pod\/web\/web\] up/);
        assert.match((await run(['logs', 'web', '-c', 'none'])).stderr, /container none is not valid for pod web/);
        assert.match(
          (await run(['logs', 'web', '-c', 'web', '--previous'])).stderr,
          /previous terminated container "web" in pod "web" not found/,
        );
        await cluster.apply(
          namespace,
          pod(
            'restarted',
            [
              container('c', 'test -e /d/ran && { echo second; exec sleep 600; }; touch /d/ran; echo first; exit 1', {
                volumeMounts: [{ name: 'd', mountPath: '/d' }],
              }),
            ],
            { volumes: [{ name: 'd', emptyDir: {} }] },
          ),
          pod('counting', [container('c', 'i=0; while test $i -lt 6; do echo "line $i"; i=$((i+1)); sleep 1; done')], {
            restartPolicy: 'Never',
          }),
        );
        const followed = await says('logs', '-f', 'counting', '--pod-running-timeout=20s').catch(async () => {
          await says('wait', '--for=jsonpath={.status.phase}=Running', 'pod/counting', '--timeout=80s');
          return await says('logs', '-f', 'counting');
        });
        assert.equal(
          followed,
          Array.from({ length: 6 }, (_, index) => `line ${index}\n`).join(''),
          'to its end, and nothing twice',
        );
        const stamped = (await says('logs', 'counting', '--timestamps')).trim().split('\n');
        const fourth = stamped[3]!.split(' ')[0]!;
        assert.match(fourth, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z$/);
        assert.equal(await says('logs', 'counting', `--since-time=${fourth}`), 'line 3\nline 4\nline 5\n');
        assert.equal(await says('logs', 'counting', '--since=1h', '--tail=2'), 'line 4\nline 5\n');
        assert.equal(await says('logs', 'counting', '--since=1s', '--tail=-1'), '');
        assert.match(
          (await run(['logs', 'counting', '--since=1h', `--since-time=${fourth}`])).stderr,
          /at most one of/,
        );
        await eventually('it ran again', 30_000, async () => (await run(['logs', 'restarted'])).stdout === 'second\n');
        assert.equal(await says('logs', 'restarted', '--previous'), 'first\n');
      },
    );

    test('debug: inside a pod, in a copy of it, on its node', options, async () => {
      const inside = await run([
        'debug',
        'web',
        '-i',
        '-q',
        `--image=${image}`,
        '--target=web',
        '-c',
        'dbg',
        '--',
        'sh',
        '-c',
        'ps; cat /proc/1/root/srv/index.html; wget -q -O- localhost:8080/index.html',
      ]);
      assert.equal(inside.status, 0, inside.stderr);
      // What was said before kubectl listened is in the log alone.
      assert.match(await says('logs', 'web', '-c', 'dbg'), /httpd -f[^]*page\npage/);
      assert.match(await says('describe', 'pod', 'web'), /Ephemeral Containers:\n +dbg:/);
      const copied = await run([
        'debug',
        'web',
        '-i',
        '-q',
        '--copy-to=web-copy',
        '--container=web',
        '--share-processes',
        '--',
        'sh',
        '-c',
        'ps; echo in a copy',
      ]);
      assert.equal(copied.status, 0, copied.stderr);
      await eventually('the copy has spoken', 20_000, async () =>
        (await run(['logs', 'web-copy', '-c', 'web'])).stdout.includes('in a copy'),
      );
      const node = (await says('get', 'pod', 'web', '-o', 'jsonpath={.spec.nodeName}')).trim();
      const onNode = await run([
        'debug',
        `node/${node}`,
        '-i',
        '-q',
        `--image=${image}`,
        '--',
        'sh',
        '-c',
        'cat /host/etc/hostname; hostname; ls -d /host/var/log',
      ]);
      assert.equal(onNode.status, 0, onNode.stderr + onNode.stdout);
      const debugger_ = (await says('get', 'pods', '-o', 'name'))
        .split('\n')
        .find((name) => name.includes('node-debugger'))!;
      await says('wait', '--for=jsonpath={.status.phase}=Succeeded', debugger_, '--timeout=120s');
      assert.equal(await says('logs', debugger_), `${node}\n${node}\n/host/var/log\n`);
    });

    test('top: what nodes and pods use', options, async () => {
      await eventually('the pods are measured', 30_000, async () =>
        /web +\d+m +\d+Mi/.test((await run(['top', 'pods'])).stdout),
      );
      assert.match(await says('top', 'pod', 'web', '--containers'), /web +beside +\d+m +\d+Mi +\n *web +web +\d+m/);
      assert.match(await says('top', 'nodes'), /CPU\(cores\)[^]*ip-\S+ +\d+m +\d+% +\d+Mi +\d+%/);
      assert.match(await says('top', 'pods', '-l', 'app=web', '--no-headers', '--sum'), /web/);
      assert.match(
        await says('get', '--raw', `/apis/metrics.k8s.io/v1beta1/namespaces/${namespace}/pods/web`),
        /"usage"/,
      );
    });

    test('what the server passes on: proxies to pods, services and nodes', options, async () => {
      const here = `/api/v1/namespaces/${namespace}`;
      assert.equal(await says('get', '--raw', `${here}/pods/web:8080/proxy/index.html`), 'page\n');
      assert.equal(await says('get', '--raw', `${here}/services/http:web:http/proxy/index.html`), 'page\n');
      const node = (await says('get', 'pod', 'web', '-o', 'jsonpath={.spec.nodeName}')).trim();
      assert.equal(await says('get', '--raw', `/api/v1/nodes/${node}/proxy/healthz`), 'ok');
      assert.match(await says('get', '--raw', `/api/v1/nodes/${node}/proxy/stats/summary`), /"podRef"/);
      assert.match(await says('get', '--raw', `/api/v1/nodes/${node}/proxy/pods`), /"kind":"PodList"/);
      const proxy = start('proxy', '--port=0');
      try {
        const [line] = (await once(createInterface(proxy.stdout!), 'line')) as [string];
        const at = /127\.0\.0\.1:\d+/.exec(line)![0];
        const answer = await fetch(`http://${at}${here}/services/web:80/proxy/index.html`);
        assert.equal(await answer.text(), 'page\n');
      } finally {
        await end(proxy);
      }
    });

    test('what happened to a pod is described, watched and dumped', options, async () => {
      const watching = start('get', 'pods', '-w', '--output-watch-events', '--no-headers');
      try {
        const lines = linesOf(watching);
        await ready(pod('seen', [container('c', 'sleep 600')]));
        await says('delete', 'pod', 'seen');
        for (const event of ['ADDED', 'MODIFIED', 'DELETED'])
          for (;;) if (new RegExp(`${event} +seen`).test(await nextOf(lines))) break;
      } finally {
        await end(watching);
      }
      // kubectl sorts events by the second, and those of one second as they come.
      const described = await says('describe', 'pod', 'web');
      for (const reason of ['Scheduled', 'Pulled', 'Created', 'Started'])
        assert.match(described, new RegExp(`^ +Normal +${reason} `, 'm'));
      assert.match(await says('events', '--for', 'pod/web'), /Started/);
      assert.match(
        await says('cluster-info', 'dump', `--namespaces=${namespace}`),
        /"kind": "PodList"[^]*==== START logs for container web of pod \S+\/web ====\nup/,
      );
    });

    test(
      'drain: evicted by their budget, one after the other; nothing is scheduled there until it is uncordoned',
      options,
      async () => {
        const labels = { app: 'spread' };
        await cluster.apply(
          namespace,
          {
            apiVersion: 'apps/v1',
            kind: 'Deployment',
            metadata: { name: 'spread' },
            spec: {
              replicas: 3,
              selector: { matchLabels: labels },
              template: {
                metadata: { labels },
                spec: { terminationGracePeriodSeconds: 1, containers: [container('c', 'sleep 600')] },
              },
            },
          },
          {
            apiVersion: 'policy/v1',
            kind: 'PodDisruptionBudget',
            metadata: { name: 'spread' },
            spec: { maxUnavailable: 1, selector: { matchLabels: labels } },
          },
        );
        await says('rollout', 'status', 'deployment/spread', '--timeout=240s');
        const node = (await says('get', 'pods', '-l', 'app=spread', '-o', 'jsonpath={.items[0].spec.nodeName}')).trim();
        const selected = ['--pod-selector=app=spread', '--timeout=240s'];
        assert.match(await says('drain', node, '--ignore-daemonsets', ...selected), /evicting pod[^]*drained/);
        await says('rollout', 'status', 'deployment/spread', '--timeout=240s');
        const nodes = await says('get', 'pods', '-l', 'app=spread', '-o', 'jsonpath={.items[*].spec.nodeName}');
        assert.ok(!nodes.includes(node), nodes);
        assert.match(await says('get', 'node', node), /Ready,SchedulingDisabled/);
        await says('uncordon', node);
      },
    );
  });
