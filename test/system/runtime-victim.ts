/** A process that uses an engine and dies by SIGKILL: `runtime-victim.ts <home as JSON> <ms between a start and the death> <more of each container>`. */
import type { ContainerCreate } from '#engine';
import { engineAt, image, start, type EngineHome } from './engine.ts';

const [home = '', delayMs = '0', more = '{}'] = process.argv.slice(2);
const asked = JSON.parse(more) as Partial<ContainerCreate>;
const engine = engineAt(JSON.parse(home) as EngineHome);
await engine.start();
const counting = 'i=0; while [ ! -e /tmp/stop ]; do i=$((i+1)); echo $i; sleep 0.05; done; exit 42';
await start(engine, ['sh', '-c', counting], { name: 'counting', ...asked });
await start(engine, ['sh', '-c', 'read x; echo bye; exit 5'], { name: 'brief' });
await start(engine, ['sh', '-c', 'exit 1'], { name: 'returning', restartPolicy: { name: 'always' } });
await start(engine, ['sh', '-c', 'exit 6'], { name: 'passing', isRemovedOnExit: true });
await engine.containers.create({
  image,
  name: 'half',
  command: ['sleep', '1000'],
  network: { mode: 'none' },
  ...asked,
});
engine.containers.start('half').catch(() => undefined); // it dies on the way
setTimeout(() => process.kill(process.pid, 'SIGKILL'), Number(delayMs));
