import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decode, encode, type Answer, type DecodedPacket } from 'dns-packet';
import fc from 'fast-check';
import { createResolver, type DnsTransport, type ForwardQuery } from './resolver.ts';
import type { DnsZone } from './zone.ts';

const asker = { vpcId: 'vpc-1', address: '10.0.0.9' };
const AUTHORITATIVE = 0x400;
const TRUNCATED = 0x200;
const addresses = (count: number): readonly Answer[] =>
  Array.from({ length: count }, (_, index) => ({
    type: 'A',
    name: 'many.test',
    data: `10.0.${index >> 8}.${index & 255}`,
  }));

const zone: DnsZone = {
  start: { type: 'SOA', name: 'test', data: { mname: 'ns.test', rname: 'host.test', minimum: 5 } },
  answer({ name, type }) {
    if (name === 'alias.test') return [{ type: 'CNAME', name, data: 'one.test' }];
    if (name === 'outside.test') return [{ type: 'CNAME', name, data: 'example.com' }];
    if (name === 'one.test') return type === 'A' ? [{ type, name, data: '10.0.0.1' }] : [];
    if (name === 'many.test') return addresses(100);
    return name === 'test' || name.endsWith('.test') ? 'unknown' : undefined;
  },
};

const elsewhere: ForwardQuery = async (query) => {
  const { id, questions } = decode(query);
  const name = questions![0]!.name;
  return encode({
    type: 'response',
    id: id!,
    questions: questions!,
    answers: [{ type: 'A', name, data: '192.0.2.1' }],
  });
};
const resolve = createResolver(() => [zone], elsewhere);

async function ask(
  name: string,
  type: 'A' | 'AAAA' = 'A',
  {
    udpPayloadSize = 0,
    transport = 'udp',
  }: { readonly udpPayloadSize?: number; readonly transport?: DnsTransport } = {},
) {
  const query = encode({
    type: 'query',
    id: 7,
    questions: [{ name, type }],
    ...(udpPayloadSize
      ? {
          additionals: [
            {
              type: 'OPT',
              name: '.',
              udpPayloadSize,
              extendedRcode: 0,
              ednsVersion: 0,
              flags: 0,
              flag_do: false,
              options: [],
            },
          ],
        }
      : {}),
  });
  const answer = (await resolve(query, transport, asker))!;
  return {
    ...(decode(answer) as DecodedPacket & { readonly rcode: string }),
    bytes: answer.length,
    header: answer.readUInt16BE(2),
  };
}

test('an alias comes with what it leads to, here or elsewhere', async () => {
  assert.deepEqual(
    (await ask('alias.test')).answers?.map(({ type }) => type),
    ['CNAME', 'A'],
  );
  const { answers } = await ask('outside.test');
  assert.deepEqual(
    answers?.map(({ type, name }) => `${type} ${name}`),
    ['CNAME outside.test', 'A example.com'],
  );
});

test('what there is not says for how long', async () => {
  const nothing = await ask('no.test');
  assert.equal(nothing.rcode, 'NXDOMAIN');
  assert.equal(nothing.authorities?.[0]?.type, 'SOA');
  const empty = await ask('one.test', 'AAAA');
  assert.equal(empty.rcode, 'NOERROR');
  assert.equal(empty.authorities?.[0]?.type, 'SOA');
});

test('a datagram that would be too long is cut short, and said to be', async () => {
  const plain = await ask('many.test');
  assert.ok(plain.bytes <= 512 && plain.header & TRUNCATED);
  const large = await ask('many.test', 'A', { udpPayloadSize: 4096 });
  assert.ok(large.bytes <= 1232 && large.header & TRUNCATED);
  const whole = await ask('many.test', 'A', { transport: 'tcp' });
  assert.equal(whole.answers?.length, 100);
});

test('bytes of any kind are answered or ignored, never fatal', async () => {
  const header = fc.tuple(fc.integer({ min: 0, max: 0xffff }), fc.uint8Array({ minLength: 8, maxLength: 8 }));
  const packet = fc.oneof(
    fc.uint8Array({ maxLength: 600 }),
    fc
      .tuple(header, fc.uint8Array({ maxLength: 300 }))
      .map(([[id, counts], rest]) => Buffer.concat([Buffer.from([id >> 8, id & 255, 1, 0]), counts, rest])),
    fc
      .uint8Array({ maxLength: 300 })
      .map((rest) => Buffer.concat([Buffer.from([0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]), rest])),
  );
  await fc.assert(
    fc.asyncProperty(packet, fc.constantFrom('udp' as const, 'tcp' as const), async (bytes, transport) => {
      const failing = createResolver(
        () => [zone],
        async () => undefined,
      );
      const answer = await failing(Buffer.from(bytes), transport, asker);
      if (!answer || !(answer.readUInt16BE(2) & AUTHORITATIVE)) return;
      const name = decode(answer).questions?.[0]?.name.toLowerCase() ?? '';
      assert.ok(name === 'test' || name.endsWith('.test'), `authority for ${name}`);
    }),
    { numRuns: 500 },
  );
});
