import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { DabbaError, silentLogger } from '#base';
import type { VpcCaller } from '../vpc-addresses.ts';
import { vpcRelay, type VpcRelayParts } from './vpc-relay.ts';

describe('the way from a VPC to the control plane', () => {
  let far: Server;
  let callers: VpcCaller[];
  let held: AsyncDisposableStack;

  const listen = async (server: Server) => {
    held.use(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  };
  const start = async (more: Partial<VpcRelayParts> = {}): Promise<Socket> => {
    const port = await listen(far);
    const relay = vpcRelay({
      logger: silentLogger,
      dial: async (caller) => {
        callers.push(caller);
        return connect(port, '127.0.0.1');
      },
      ...more,
    });
    const client = connect(await listen(relay({ vpcId: 'vpc-1' })), '127.0.0.1');
    held.defer(() => void client.destroy());
    return client;
  };

  beforeEach(() => {
    callers = [];
    held = new AsyncDisposableStack();
    far = createServer((socket) => socket.pipe(socket));
  });
  afterEach(async () => await held.disposeAsync());

  test('bytes go both ways, for whoever is at the address', async () => {
    const client = await start();
    client.write('question');
    const [answer] = (await once(client, 'data')) as [Buffer];
    assert.equal(answer.toString(), 'question');
    assert.deepEqual(callers, [{ vpcId: 'vpc-1', address: '127.0.0.1' }]);
  });

  test('a connection that nobody uses ends, at both ends', async () => {
    const ended = once(far, 'connection').then(async ([socket]) => await once(socket as Socket, 'close'));
    const client = await start({ idleMs: 20 });
    client.resume();
    await Promise.all([once(client, 'close'), ended]);
  });

  test('where nobody answers, the connection ends', async () => {
    const dial = async () => await Promise.reject(new DabbaError('Unavailable', 'nobody'));
    const client = await start({ dial });
    client.resume();
    await once(client, 'close');
  });
});
