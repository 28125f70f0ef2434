import { request as httpRequest, type IncomingMessage } from 'node:http';
import { createInterface } from 'node:readline';
import { pipeline } from 'node:stream/promises';
import { DabbaError, systemCode } from '#base';
import type { BuildEvent } from '#engine';
import type { PackedContext } from './build-context.ts';
import { UsageError } from './command.ts';

/** A line of the answer: what happens, with bytes in base64; or a piece of the files. */
export type BuildLine =
  | Exclude<BuildEvent, { readonly kind: 'output' }>
  | {
      readonly kind: 'output';
      readonly stream: 'stdout' | 'stderr';
      readonly data: string;
      readonly stage?: number;
    }
  | { readonly kind: 'files'; readonly data: string };

export interface BuildCall {
  readonly socket: string;
  readonly query: URLSearchParams;
  /** What the endpoint has no place for: secrets in base64, paths of agents' sockets. */
  readonly extras: {
    readonly secrets: { readonly [id: string]: string };
    readonly ssh: { readonly [id: string]: string };
  };
  readonly context: PackedContext;
}

/** Builds through the Docker socket. Ends with the build; its failure is a `DabbaError` with the builder's words. */
export async function* runBuild({ socket, query, extras, context }: BuildCall): AsyncGenerator<BuildLine, void> {
  const call = httpRequest({
    socketPath: socket,
    method: 'POST',
    path: `/build?${query.toString()}`,
    headers: {
      'content-type': 'application/x-tar',
      'x-dabba-build': Buffer.from(JSON.stringify(extras)).toString('base64'),
    },
  });
  const { promise: answered, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  call.once('response', resolve).once('error', reject);
  // A build that failed early reads no further; what it answers tells why.
  const sent = pipeline(context.archive, call).catch((error: unknown) => {
    if (!['EPIPE', 'ECONNRESET', 'ERR_STREAM_PREMATURE_CLOSE'].includes(systemCode(error) ?? ''))
      call.destroy(error as Error);
  });
  const answer = await answered.catch((error: unknown) => {
    if (!['ENOENT', 'ECONNREFUSED'].includes(systemCode(error) ?? '')) throw error;
    throw new UsageError(`nothing serves ${socket}`, 'start it first: dabba up -d');
  });
  try {
    if (answer.statusCode !== 200) throw failure(await messageOf(answer), context);
    for await (const text of createInterface({ input: answer })) {
      const line = JSON.parse(text) as BuildLine | { readonly error: string }; // our own server's words
      if ('error' in line) throw failure(line.error, context);
      yield line;
    }
    if (!answer.complete) throw new DabbaError('Unavailable', 'the connection to the builder was lost');
  } finally {
    call.destroy();
    await sent;
  }
}

/** A Dockerfile that is not in the context travels under another name, which means nothing to the user. */
const failure = (message: string, { dockerfile, dockerfileName }: PackedContext) =>
  new DabbaError(
    'FailedPrecondition',
    message.replaceAll(dockerfile, () => dockerfileName),
  );

async function messageOf(answer: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of answer as AsyncIterable<Buffer>) pieces.push(piece);
  const text = Buffer.concat(pieces).toString();
  try {
    return (JSON.parse(text) as { readonly message?: string }).message ?? text;
  } catch {
    return text; // no JSON: as it is
  }
}
