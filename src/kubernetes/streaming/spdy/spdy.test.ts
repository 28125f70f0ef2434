import assert from 'node:assert/strict';
import { duplexPair, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { createDeflate, constants } from 'node:zlib';
import fc from 'fast-check';
import { SpdyConnection } from './connection.ts';
import { dictionary } from './dictionary.ts';
import { encodeFrame, FrameReader, SpdyError, type Frame } from './frames.ts';
import { HeaderBlockReader, HeaderBlockWriter } from './header-block.ts';
import type { SpdyStream } from './stream.ts';

const streamId = fc.integer({ min: 1, max: 0x7fffffff });
const bytes = fc.uint8Array({ maxLength: 300 }).map((each) => Buffer.from(each));
const frame = fc.oneof(
  fc.record({
    type: fc.constant('syn-stream' as const),
    streamId,
    isFinal: fc.boolean(),
    isUnidirectional: fc.boolean(),
    block: bytes,
  }),
  fc.record({
    type: fc.constantFrom('syn-reply' as const, 'headers' as const),
    streamId,
    isFinal: fc.boolean(),
    block: bytes,
  }),
  fc.record({ type: fc.constant('rst-stream' as const), streamId, status: fc.nat(20) }),
  fc.record({ type: fc.constant('ping' as const), id: fc.nat() }),
  fc.record({ type: fc.constant('goaway' as const), lastStreamId: streamId }),
  fc.record({ type: fc.constant('window-update' as const), streamId, delta: fc.nat() }),
);

/** Cuts bytes at places drawn by the property. */
function cut(whole: Buffer, places: readonly number[]): readonly Buffer[] {
  const at = [0, ...places.map((place) => place % (whole.length + 1)).sort((a, b) => a - b), whole.length];
  return at.slice(1).map((end, index) => whole.subarray(at[index], end));
}

test('frames survive the wire, however it cuts them', () => {
  fc.assert(
    fc.property(fc.array(frame), fc.array(fc.nat()), (frames, places) => {
      const reader = new FrameReader();
      const wire = Buffer.concat(frames.map((each) => encodeFrame(each)));
      const read: Frame[] = cut(wire, places).flatMap((piece) => [...reader.push(piece)]);
      // As plain objects: those of the property have no prototype.
      assert.deepEqual(
        read,
        frames.map((each) => ({ ...each })),
      );
    }),
  );
});

test('data comes in pieces, whole and in order, its end with the last one', () => {
  fc.assert(
    fc.property(bytes, fc.boolean(), fc.array(fc.nat()), (data, isFinal, places) => {
      const reader = new FrameReader();
      const wire = encodeFrame({ type: 'data', streamId: 1, isFinal, data });
      const read = cut(wire, places).flatMap((piece) => [...reader.push(piece)]);
      assert.deepEqual(Buffer.concat(read.map((each) => (each as { data: Buffer }).data)), data);
      assert.deepEqual(
        read.map((each) => (each as { isFinal: boolean }).isFinal).filter(Boolean),
        isFinal ? [true] : [],
      );
      assert.equal((read.at(-1) as { isFinal: boolean }).isFinal, isFinal);
    }),
  );
});

test('whatever comes, a reader gives frames or says what is wrong', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 64 })), (pieces) => {
      const [reader, blocks] = [new FrameReader(), new HeaderBlockReader()];
      try {
        for (const piece of pieces)
          for (const each of reader.push(Buffer.from(piece))) if ('block' in each) blocks.read(each.block);
      } catch (error) {
        if (!(error instanceof SpdyError)) throw error;
      }
    }),
  );
});

test('a header block of garbage is refused', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 200 }), (garbage) => {
      try {
        new HeaderBlockReader().read(Buffer.from(garbage));
      } catch (error) {
        if (!(error instanceof SpdyError)) throw error;
      }
    }),
  );
});

const headers = fc
  .dictionary(fc.stringMatching(/^[a-z-]{1,20}$/), fc.string({ maxLength: 50 }))
  .map((each) => new Map(Object.entries(each)));

test('header blocks are read as they were written, one after the other', () => {
  fc.assert(
    fc.property(fc.array(headers, { maxLength: 5 }), (blocks) => {
      const [writer, reader] = [new HeaderBlockWriter(), new HeaderBlockReader()];
      for (const block of blocks) assert.deepEqual(reader.read(writer.write(block)), block);
    }),
  );
});

test('blocks that are compressed with the dictionary are read', async () => {
  const deflate = createDeflate({ dictionary });
  const reader = new HeaderBlockReader();
  for (const block of [
    new Map([['streamtype', 'error']]),
    new Map([
      ['streamtype', 'data'],
      ['port', '8080'],
    ]),
  ]) {
    // What our own writer stores, behind the zlib and block heads.
    const plain = new HeaderBlockWriter().write(block).subarray(11, -5);
    const compressed = await new Promise<Buffer>((resolve) => {
      const pieces: Buffer[] = [];
      const take = (piece: Buffer) => void pieces.push(piece);
      deflate.on('data', take);
      deflate.write(plain);
      deflate.flush(constants.Z_SYNC_FLUSH, () => {
        deflate.off('data', take);
        resolve(Buffer.concat(pieces));
      });
    });
    assert.deepEqual(reader.read(compressed), block);
  }
});

function connected(onStream: (stream: SpdyStream) => void) {
  const [here, there] = duplexPair();
  const server = new SpdyConnection(there, { role: 'server', onStream });
  const client = new SpdyConnection(here, { role: 'client', onStream: () => assert.fail('the server begins none') });
  return { server, client };
}

test('streams carry bytes both ways and end by halves', async () => {
  const { client, server } = connected((stream) => {
    assert.equal(stream.headers.get('streamtype'), 'data');
    stream.pipe(stream);
  });
  const stream = client.createStream(new Map([['streamtype', 'data']]));
  const sent = 'x'.repeat(300_000);
  stream.end(sent);
  assert.equal(await text(stream), sent);
  client.close();
  await Promise.all([client.closed, server.closed]);
});

test('what nobody reads stops the sender', async () => {
  let accepted: SpdyStream | undefined;
  const { client } = connected((stream) => (accepted = stream));
  const stream = client.createStream(new Map());
  let sent = 0;
  const endless = Readable.from(
    (function* () {
      for (; sent < 64 * 2 ** 20; sent += 64 * 1024) yield Buffer.alloc(64 * 1024);
    })(),
  );
  endless.pipe(stream);
  for (let before = -1; before !== sent;) {
    before = sent;
    for (let turns = 0; turns < 20; turns++) await new Promise((resolve) => setImmediate(resolve));
  }
  assert.ok(sent > 0 && sent < 16 * 2 ** 20, `${sent} bytes were taken`);
  assert.ok(accepted!.readableLength < 4 * 2 ** 20, `${accepted!.readableLength} bytes are held`);
  client.destroy();
});

test('a stream that is given up is reset at the other end', async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const { client } = connected((stream) => stream.once('close', resolve));
  client.createStream(new Map()).destroy();
  await promise;
  client.destroy();
});

test('a stream of the wrong side ends the connection', async () => {
  const [here, there] = duplexPair();
  const server = new SpdyConnection(there, { role: 'server', onStream: () => assert.fail('never') });
  const block = new HeaderBlockWriter().write(new Map());
  here.write(encodeFrame({ type: 'syn-stream', streamId: 2, isFinal: false, isUnidirectional: false, block }));
  here.resume();
  await server.closed;
});
