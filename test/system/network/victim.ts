/** A daemon to be killed: starts a plane with two interfaces and an endpoint, says where they are, and waits for its end. */
import { rmdirSync } from 'node:fs';
import { systemClock } from '#base';
import { openSqliteStore } from '#store';
import { World, allowTcp } from './world.ts';

const { path, ...options } = JSON.parse(process.argv[2]!) as { path: string } & World['options'];
const world = new World({ ...options, store: openSqliteStore({ directory: path, clock: systemClock }) });
rmdirSync(world.directory); // what it keeps is in the directories it was given
await world.plane.start();
await world.vpc('a', '10.0.0.0/16', ['10.0.1.0/24'], { isPublic: true });
await world.group('vpc-a', 'sg-web', [allowTcp(80)]);
const web = { securityGroupIds: ['sg-web'] };
const kept = await world.attach(
  await world.eni('eni-1', 'subnet-a-0', '10.0.1.10', { ...web, publicIp: world.publicIp(5) }),
);
const dropped = await world.attach(await world.eni('eni-2', 'subnet-a-0', '10.0.1.11', web));
await world.join(await world.bridge('bridge', { cidr: '172.17.0.0/16' }), 'sandbox-1');
await world.plane.bridges.publish('sandbox-1', [
  { containerPort: 80, protocol: 'tcp', hostIp: '0.0.0.0', hostPorts: { first: 8081, last: 8081 } },
]);
process.stdout.write(`${kept} ${dropped}\n`);
setInterval(() => undefined, 60_000); // keeps the process alive until it is killed
