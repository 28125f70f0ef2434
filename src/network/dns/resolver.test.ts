import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { test } from 'node:test';
import { decode, encode, type DecodedPacket, type RecordType } from 'dns-packet';
import { createForwarder } from './forwarder.ts';
import { privateNamesZone } from './private-names.ts';
import { createResolver, type ForwardQuery } from './resolver.ts';

const asker = { vpcId: 'vpc-1', address: '172.31.5.9' };
const zone = privateNamesZone({ cidr: '172.31.0.0/16', region: 'us-east-1' });
const nowhere: ForwardQuery = async () => undefined;

async function ask(
  name: string,
  type: RecordType,
  forward = nowhere,
): Promise<DecodedPacket & { readonly rcode: string }> {
  const query = encode({ type: 'query', id: 4711, questions: [{ name, type }] });
  const answer = await createResolver(() => [zone], forward)(query, 'udp', asker);
  return decode(answer!) as DecodedPacket & { readonly rcode: string };
}

const dataOf = (packet: DecodedPacket) => packet.answers?.map((answer) => ('data' in answer ? answer.data : undefined));

test('private names lead to addresses and back', async () => {
  const forward = await ask('IP-172-31-5-9.ec2.internal', 'A');
  assert.equal(forward.id, 4711);
  assert.deepEqual(dataOf(forward), ['172.31.5.9']);
  assert.deepEqual(dataOf(await ask('9.5.31.172.in-addr.arpa', 'PTR')), ['ip-172-31-5-9.ec2.internal']);
});

test('a private name has no IPv6 address, but exists', async () => {
  const packet = await ask('ip-172-31-5-9.ec2.internal', 'AAAA');
  assert.equal(packet.rcode, 'NOERROR');
  assert.deepEqual(packet.answers, []);
});

test('private names outside the VPC do not exist, and are asked of nobody else', async () => {
  for (const name of ['ip-10-0-0-1.ec2.internal', 'ip-172-31-5-999.ec2.internal', 'other.ec2.internal'])
    assert.equal((await ask(name, 'A', () => assert.fail('forwarded'))).rcode, 'NXDOMAIN');
});

test('another region has a domain of its own', () => {
  const european = privateNamesZone({ cidr: '10.0.0.0/16', region: 'eu-west-1' });
  const question = { name: 'ip-10-0-0-4.eu-west-1.compute.internal', type: 'A' };
  assert.notEqual(european.answer(question, asker), undefined);
  assert.equal(european.answer({ ...question, name: 'ip-10-0-0-4.ec2.internal' }, asker), undefined);
});

test('other names are forwarded, and failure is said', async () => {
  assert.equal((await ask('example.com', 'A')).rcode, 'SERVFAIL');
  const given = await ask('example.com', 'A', async (query) =>
    encode({
      type: 'response',
      id: query.readUInt16BE(0),
      answers: [{ type: 'A', name: 'example.com', data: '192.0.2.1' }],
    }),
  );
  assert.deepEqual(dataOf(given), ['192.0.2.1']);
});

test('garbage gets a format error, answers get nothing', async () => {
  const resolve = createResolver(() => [zone], nowhere);
  assert.equal(await resolve(Buffer.from('short'), 'udp', asker), undefined);
  const response = encode({ type: 'response', id: 1, questions: [{ name: 'a.b', type: 'A' }] });
  assert.equal(await resolve(response, 'udp', asker), undefined);
  const garbage = Buffer.concat([Buffer.from([0, 1, 1, 0, 0, 9, 0, 0, 0, 0, 0, 0]), Buffer.from([63, 1])]);
  assert.equal((await resolve(garbage, 'udp', asker))!.readUInt16BE(2) & 15, 1);
});

test('the forwarder asks under an id of its own and gives up on whom it cannot reach', async () => {
  const upstream = createSocket('udp4');
  await new Promise<void>((resolve) => upstream.bind(0, '127.0.0.1', resolve));
  const seen: number[] = [];
  upstream.on('message', (query, peer) => {
    seen.push(query.readUInt16BE(0));
    const forged = Buffer.from(query);
    forged.writeUInt16BE((query.readUInt16BE(0) + 1) & 0xffff, 0);
    upstream.send(forged, peer.port, peer.address);
    upstream.send(query, peer.port, peer.address);
  });
  const stopped = new AbortController();
  try {
    const forward = createForwarder(() => ['127.0.0.1'], stopped.signal, upstream.address().port);
    const ids = [1, 2, 3];
    const answers = await Promise.all(
      ids.map(
        async (id) =>
          await forward(encode({ type: 'query', id, questions: [{ name: 'a.b', type: 'A' }] }), 'udp', asker),
      ),
    );
    assert.deepEqual(
      answers.map((answer) => answer?.readUInt16BE(0)),
      ids,
    );
    assert.equal(seen.length, 3);
    assert.notDeepEqual(seen, ids);
    stopped.abort();
    assert.equal(
      await forward(encode({ type: 'query', id: 1, questions: [{ name: 'a.b', type: 'A' }] }), 'udp', asker),
      undefined,
    );
  } finally {
    upstream.close();
  }
});
