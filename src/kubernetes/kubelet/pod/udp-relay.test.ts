import assert from 'node:assert/strict';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { test } from 'node:test';
import { ManualClock } from '#base';
import { UdpRelay } from './udp-relay.ts';

const target = (socket: Socket) => ({ address: '127.0.0.1', port: socket.address().port });

async function bound(): Promise<Socket> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return socket;
}

test('each sender has its answers, from the address it asked', async () => {
  const [clock, server, near, one, other] = [
    new ManualClock(),
    ...(await Promise.all([bound(), bound(), bound(), bound()])),
  ] as const;
  const senders = new Set<number>();
  server.on('message', (message, { port, address }) => {
    senders.add(port);
    server.send(`${message.toString()}!`, port, address);
  });
  const { port } = near.address();
  const dial = () => createSocket('udp4').bind(0, '127.0.0.1');
  const relay = new UdpRelay({ socket: near, dial, target: target(server), clock });
  const ask = async (client: Socket, text: string): Promise<[string, number]> => {
    client.send(text, port, '127.0.0.1');
    const [message, from] = (await once(client, 'message')) as [Buffer, { port: number }];
    return [message.toString(), from.port];
  };
  assert.deepEqual(await Promise.all([ask(one, 'a'), ask(other, 'b')]), [
    ['a!', port],
    ['b!', port],
  ]);
  assert.deepEqual(await ask(one, 'again'), ['again!', port]);
  assert.equal(senders.size, 2, 'a flow each');
  clock.advance(120_000);
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(await ask(one, 'late'), ['late!', port]);
  assert.equal(senders.size, 3, 'one that was silent is forgotten');
  for (const socket of [one, other, server]) socket.close();
  relay[Symbol.dispose]();
});

test('a datagram of anybody but the target is no answer', async () => {
  const [server, near, client, stranger] = await Promise.all([bound(), bound(), bound(), bound()]);
  server.on('message', (_message, { port, address }) => {
    stranger.send('forged', port, address, () => server.send('true', port, address));
  });
  const { port } = near.address();
  const dial = () => createSocket('udp4').bind(0, '127.0.0.1');
  const relay = new UdpRelay({ socket: near, dial, target: target(server), clock: new ManualClock() });
  client.send('?', port, '127.0.0.1');
  const [message] = (await once(client, 'message')) as [Buffer];
  assert.equal(message.toString(), 'true');
  for (const socket of [server, client, stranger]) socket.close();
  relay[Symbol.dispose]();
});

test('while the far side cannot be reached, datagrams are lost and nothing else', async () => {
  const [server, near, client] = await Promise.all([bound(), bound(), bound()]);
  const refused = Promise.withResolvers<void>();
  let isGone = true;
  const dial = () => {
    if (!isGone) return createSocket('udp4').bind(0, '127.0.0.1');
    refused.resolve();
    throw new Error('gone');
  };
  const { port } = near.address();
  const relay = new UdpRelay({ socket: near, dial, target: target(server), clock: new ManualClock() });
  client.send('lost', port, '127.0.0.1');
  await refused.promise;
  isGone = false;
  client.send('there', port, '127.0.0.1');
  const [message] = (await once(server, 'message')) as [Buffer];
  assert.equal(message.toString(), 'there');
  for (const socket of [client, server]) socket.close();
  relay[Symbol.dispose]();
});
