/** The unmodified docker client on containers: paused, measured, limited, confined; their logs, and the volumes they share. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Dabba } from '../harness/dabba.ts';
import { eventually } from '../harness/machine.ts';

const image = 'public.ecr.aws/docker/library/busybox';
let dabba: Dabba;

before(async () => {
  dabba = await Dabba.withBusybox();
});

after(async () => {
  await dabba.docker('rm', '-f', ...(await dabba.docker('ps', '-aq')).split('\n').filter(Boolean));
  await dabba[Symbol.asyncDispose]();
});

const docker = (...args: string[]) => dabba.docker(...args);
const sh = (line: string, ...options: string[]) => docker('run', '--rm', ...options, image, 'sh', '-c', line);
const inspect = (name: string, format: string) => docker('inspect', name, '--format', format);

/** A moment from now: the client tells instants in whole seconds. */
const soon = () => String(Math.ceil(Date.now() / 1000));

test('a paused container stands still, and a signal wakes it to its end', async () => {
  await docker('run', '-d', '--name', 'still', image, 'sh', '-c', 'while true; do echo t; sleep 0.05; done');
  await docker('pause', 'still');
  assert.equal(await inspect('still', '{{.State.Status}} {{.State.Running}} {{.State.Paused}}'), 'paused true true');
  const lines = (await docker('logs', 'still')).length;
  await dabba.refused('is already paused', 'docker', ['pause', 'still']);
  await dabba.refused('unpause the container before exec', 'docker', ['exec', 'still', 'true']);
  assert.equal((await docker('logs', 'still')).length, lines);
  await docker('unpause', 'still');
  await dabba.refused('is not paused', 'docker', ['unpause', 'still']);
  await eventually('it prints again', 5000, async () => (await docker('logs', 'still')).length > lines);
  await docker('pause', 'still');
  await docker('stop', '-t', '1', 'still');
  assert.equal(await inspect('still', '{{.State.Status}} {{.State.ExitCode}}'), 'exited 137');
});

test('stats count processors, memory, processes; a stopped container has zeros', async () => {
  await docker(
    'run',
    '-d',
    '--name',
    'busy',
    '-m',
    '64m',
    '--pids-limit',
    '20',
    image,
    'sh',
    '-c',
    'while true; do :; done',
  );
  const [cpu = '', memory = '', pids] = (
    await docker('stats', '--no-stream', '--format', '{{.CPUPerc}}|{{.MemUsage}}|{{.PIDs}}', 'busy')
  ).split('|');
  assert.ok(Number.parseFloat(cpu) > 1, cpu);
  assert.match(memory, /iB \/ 64MiB$/);
  assert.equal(pids, '1');
  await docker('rm', '-f', 'busy');
});

test('limits and the restart policy change while it runs', async () => {
  await docker('run', '-d', '--name', 'grows', '-m', '32m', image, 'sleep', '300');
  await docker(
    'update',
    '--memory',
    '48m',
    '--memory-swap',
    '96m',
    '--pids-limit',
    '9',
    '--cpus',
    '0.5',
    '--restart',
    'always',
    'grows',
  );
  assert.equal(
    await inspect('grows', '{{.HostConfig.Memory}} {{.HostConfig.PidsLimit}} {{.HostConfig.RestartPolicy.Name}}'),
    `${48 << 20} 9 always`,
  );
  const seen = 'cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.max';
  assert.equal(await docker('exec', 'grows', 'sh', '-c', seen), String(48 << 20));
  await docker('rm', '-f', 'grows');
});

test('what is asked of confinement is given', async () => {
  const facts = await sh(
    'grep -E "^(NoNewPrivs|Seccomp):" /proc/self/status | tr -d "\\t\\n"; id -G; stat -c %a /dev/nothing; cat /proc/sys/net/ipv4/ip_forward; hostname -f; ulimit -n; df -k /dev/shm | tail -1 | tr -s " " | cut -d" " -f2',
    '--security-opt',
    'no-new-privileges',
    '--security-opt',
    'seccomp=unconfined',
    '--group-add',
    '29',
    '--device',
    '/dev/null:/dev/nothing:r',
    '--sysctl',
    'net.ipv4.ip_forward=0',
    '--hostname',
    'h',
    '--domainname',
    'example.test',
    '--ulimit',
    'nofile=100:200',
    '--shm-size',
    '1m',
  );
  assert.deepEqual(facts.split('\n'), ['NoNewPrivs:1Seccomp:00 29', '666', '0', 'h.example.test', '100', '1024']);
  const profile = dabba.file(
    'no-mkdir.json',
    JSON.stringify({
      defaultAction: 'SCMP_ACT_ALLOW',
      syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO' }],
    }),
  );
  await dabba.refused('not permitted', 'docker', [
    'run',
    '--rm',
    '--security-opt',
    `seccomp=${profile}`,
    image,
    'mkdir',
    '/x',
  ]);
  assert.equal(
    await sh('cat /t/x; mount | grep -c " /t .*noexec"; true', '--tmpfs', '/t:exec,size=1m', '--tmpfs', '/u').catch(
      () => '0',
    ),
    '0',
  );
});

test('what cannot be given is refused by name', async () => {
  const refusals: readonly (readonly [RegExp, readonly string[]])[] = [
    [/StorageOpt is not supported/, ['--storage-opt', 'size=1g']],
    [/apparmor=mine.*not supported/, ['--security-opt', 'apparmor=mine']],
    [/log driver "syslog"/, ['--log-driver', 'syslog']],
    [/no such file or directory/, ['--device', '/dev/no-such-device']],
    [/Decoding seccomp profile failed/, ['--security-opt', `seccomp=${dabba.file('odd.json', '[]')}`]],
    [/is not a block device/, ['--device-read-bps', '/dev/null:1m']],
    [/blkio weight/i, ['--blkio-weight', '5']],
    [/is not running/, ['--pid', 'container:stopped']],
    [/non-shareable IPC/, ['--ipc', 'container:stopped']],
    [/No such container: nobody/, ['--volumes-from', 'nobody']],
  ];
  await docker('create', '--name', 'stopped', image, 'true');
  for (const [words, options] of refusals)
    await dabba.refused(words, 'docker', ['run', '--rm', ...options, image, 'true']);
});

test('processes and shared memory are shared with those who join', async () => {
  await docker(
    'run',
    '-d',
    '--name',
    'donor',
    '--ipc',
    'shareable',
    image,
    'sh',
    '-c',
    'echo seen > /dev/shm/note; exec sleep 300',
  );
  await eventually(
    'it wrote',
    5000,
    async () => (await dabba.client('docker', ['exec', 'donor', 'cat', '/dev/shm/note'])).status === 0,
  );
  const joined = await sh(
    'cat /dev/shm/note; ps | grep -c "[s]leep 300"',
    '--ipc',
    'container:donor',
    '--pid',
    'container:donor',
  );
  assert.equal(joined, 'seen\n1');
  await docker('rm', '-f', 'donor');
});

test('a log is cut as it grows, and read whole over its files', async () => {
  const line = 'i=0; while [ $i -lt 400 ]; do echo line $i; i=$((i+1)); [ $((i%20)) = 0 ] && sleep 0.02; done; read _';
  await docker(
    'run',
    '-di',
    '--name',
    'chatty',
    '--log-opt',
    'max-size=4k',
    '--log-opt',
    'max-file=3',
    image,
    'sh',
    '-c',
    line,
  );
  await eventually(
    'all is printed',
    10_000,
    async () => (await docker('logs', '--tail', '1', 'chatty')) === 'line 399',
  );
  const kept = (await docker('logs', 'chatty')).split('\n');
  assert.ok(kept.length < 400 && kept.length > 60, `${kept.length} lines`);
  assert.deepEqual(
    kept,
    Array.from(kept, (_, index) => `line ${400 - kept.length + index}`),
    'without a gap',
  );
  assert.deepEqual((await docker('logs', '--tail', '90', 'chatty')).split('\n'), kept.slice(-90));
  await docker('rm', '-f', 'chatty');
});

test('volumes: made, named, filled, shared, listed, in use, pruned', async () => {
  assert.equal(await docker('volume', 'create', '--label', 'a=b', 'data'), 'data');
  await docker('volume', 'create', '--opt', 'type=tmpfs', '--opt', 'device=tmpfs', '--opt', 'o=size=1m', 'fleeting');
  assert.equal(await docker('volume', 'ls', '-q', '--filter', 'label=a=b'), 'data');
  assert.equal(
    await sh(
      'mkdir /d/sub; echo deep > /d/sub/f; df -k /t | tail -1 | tr -s " " | cut -d" " -f2',
      '-v',
      'data:/d',
      '-v',
      'fleeting:/t',
    ),
    '1024',
  );
  assert.equal(await sh('cat /s/f', '--mount', 'type=volume,src=data,dst=/s,volume-subpath=sub'), 'deep');
  await dabba.refused('cannot access path', 'docker', [
    'run',
    '--rm',
    '--mount',
    'type=volume,src=data,dst=/s,volume-subpath=none',
    image,
    'true',
  ]);
  assert.equal(await sh('ls /filled | grep -c busybox', '-v', 'fill:/bin', '-v', 'fill:/filled').catch(() => ''), '1');
  await docker('run', '-d', '--name', 'owner', '-v', '/anonymous', '-v', 'data:/d', image, 'sleep', '300');
  assert.equal(await sh('cat /d/sub/f; touch /d/x 2>&1 | grep -c Read-only', '--volumes-from', 'owner:ro'), 'deep\n1');
  await dabba.refused('volume is in use', 'docker', ['volume', 'rm', 'data']);
  const anonymous = await inspect(
    'owner',
    '{{range .Mounts}}{{if eq .Destination "/anonymous"}}{{.Name}}{{end}}{{end}}',
  );
  assert.match(anonymous, /^[0-9a-f]{64}$/);
  assert.equal(await docker('volume', 'ls', '-q', '--filter', `name=${anonymous}`), anonymous);
  await docker('rm', '-f', 'owner');
  assert.match(await docker('volume', 'prune', '-f'), new RegExp(anonymous));
  assert.match(await docker('volume', 'prune', '-af'), /data/);
  await dabba.refused('no such volume', 'docker', ['volume', 'inspect', 'data']);
  const events = await docker(
    'events',
    '--since',
    '1m',
    '--until',
    soon(),
    '--filter',
    'type=volume',
    '--filter',
    'volume=data',
    '--format',
    '{{.Action}}',
  );
  assert.deepEqual(events.split('\n'), ['create', 'destroy']);
});

test('a bind makes the directory it lacks; a mount does not', async () => {
  const source = join(dabba.work, 'made/by/bind');
  await sh('echo here > /b/f', '-v', `${source}:/b`);
  assert.equal(readFileSync(join(source, 'f'), 'utf8'), 'here\n');
  await dabba.refused('bind source path does not exist', 'docker', [
    'run',
    '--rm',
    '--mount',
    `type=bind,src=${source}/none,dst=/b`,
    image,
    'true',
  ]);
});

test('names it is told resolve, and name servers are those asked for', async () => {
  const text = await sh(
    'grep -E "db|machine" /etc/hosts | tr "\\t" " "; cat /etc/resolv.conf',
    '--add-host',
    'db:192.0.2.1',
    '--add-host',
    'machine:host-gateway',
    '--dns',
    '192.0.2.53',
    '--dns-search',
    'example.test',
    '--dns-option',
    'ndots:2',
  );
  assert.match(
    text,
    /^192\.0\.2\.1 db\n\d+\.\d+\.\d+\.\d+ machine\nsearch example\.test\nnameserver 192\.0\.2\.53\noptions ndots:2$/,
  );
});

test('detach keys leave a terminal, logs=1 tells what was before', async () => {
  await docker('run', '-dit', '--name', 'terminal', image, 'sh', '-c', 'echo before; exec cat');
  await eventually('it began', 5000, async () => (await docker('logs', 'terminal')).includes('before'));
  const socket = (await dabba.command('env', ['--json'])).stdout.match(/unix:\/\/([^"]+)/)![1]!;
  const attach = await dabba.client(
    'curl',
    [
      '-sN',
      '--max-time',
      '5',
      '--unix-socket',
      socket,
      '-X',
      'POST',
      '--data-binary',
      '@-',
      'http://d/v1.51/containers/terminal/attach?logs=1&stream=1&stdin=1&stdout=1&detachKeys=ctrl-a,q',
    ],
    { input: 'typed\u0001q' },
  );
  assert.match(attach.stdout, /before/);
  assert.equal(await inspect('terminal', '{{.State.Running}}'), 'true');
  await docker('rm', '-f', 'terminal');
});

test('what everything takes is told, and prune frees it', async () => {
  await docker('run', '--name', 'wrote', image, 'sh', '-c', 'head -c 100000 /dev/zero > /z');
  assert.match(await docker('ps', '-as', '--filter', 'name=wrote', '--format', '{{.Size}}'), /^100kB/);
  assert.match(await docker('system', 'df'), /Containers\s+\d+\s+\d+\s+\d+/);
  await docker('container', 'prune', '-f', '--filter', 'until=1h');
  assert.equal(await inspect('wrote', '{{.State.Status}}'), 'exited');
  assert.match(await docker('container', 'prune', '-f', '--filter', 'label!=keep'), /Total reclaimed space: 100kB/);
});

test('the daemon goes down at once while a container takes its time to stop', async () => {
  await docker(
    'run',
    '-d',
    '--name',
    'slow',
    '--stop-timeout',
    '300',
    image,
    'sh',
    '-c',
    'trap "" TERM; while true; do sleep 1; done',
  );
  const stopping = dabba.client('docker', ['stop', 'slow']);
  await eventually(
    'it was told',
    5000,
    async () =>
      (await docker(
        'events',
        '--since',
        '1m',
        '--until',
        soon(),
        '--filter',
        'container=slow',
        '--filter',
        'event=kill',
      )) !== '',
  );
  const startedAt = Date.now();
  assert.equal((await dabba.command('down')).status, 0);
  assert.ok(Date.now() - startedAt < 100_000, `${Date.now() - startedAt} ms`);
  await stopping;
  await dabba.up();
});
