/** Docker's numbers for the streams of a multiplexed answer. */
const streamNumbers = { stdout: 1, stderr: 2 } as const;

/** Puts the 8-byte header of the multiplexed form before a piece of output: stream, three zeros, length (Engine API, "Stream format"). */
export function frame(stream: 'stdout' | 'stderr', data: Buffer): Buffer {
  const framed = Buffer.allocUnsafe(8 + data.length);
  framed.writeUInt32BE(streamNumbers[stream] << 24, 0);
  framed.writeUInt32BE(data.length, 4);
  data.copy(framed, 8);
  return framed;
}

export const mediaType = {
  raw: 'application/vnd.docker.raw-stream',
  multiplexed: 'application/vnd.docker.multiplexed-stream',
} as const;
