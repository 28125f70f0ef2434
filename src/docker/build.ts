import { pipeline } from 'node:stream/promises';
import type { Api } from './api.ts';
import { BuildLines } from './build-lines.ts';
import { readBuildRequest } from './build-request.ts';
import { JsonLines, queryFlag, type Exchange } from './exchange.ts';
import { endLines } from './lines.ts';

/**
 * POST /build: the classic endpoint, a context tar in, JSON lines out. Two things go beyond it: `outputs=[{"Type":"tar"}]` answers with the
 * files as a tar, and what `dabba build` sends along in a header gives its secrets and agents, and events in place of lines.
 */
export async function buildImage(api: Api, exchange: Exchange): Promise<void> {
  const { request, extras, isTar } = readBuildRequest(api, exchange);
  if (isTar && !extras) return await answerFiles(api, exchange, request);
  const lines = new JsonLines(exchange);
  await endLines(lines, async () => {
    if (extras) {
      const onFiles = async (archive: AsyncIterable<Buffer>) => {
        for await (const data of archive) await lines.send({ kind: 'files', data: data.toString('base64') });
      };
      for await (const event of api.engine.builder.build({ ...request, ...(isTar ? { onFiles } : {}) }))
        await lines.send(event.kind === 'output' ? { ...event, data: event.data.toString('base64') } : event);
      return;
    }
    const told = new BuildLines(queryFlag(exchange, 'q'));
    for await (const event of api.engine.builder.build(request))
      for (const line of told.linesOf(event)) await lines.send(line);
  });
}

type Request = ReturnType<typeof readBuildRequest>['request'];

/** Nothing is written before the first of the files, so that a build that fails answers as every failure does. */
async function answerFiles(api: Api, { response }: Exchange, request: Request): Promise<void> {
  const onFiles = async (archive: AsyncIterable<Buffer>) => {
    response.writeHead(200, { 'content-type': 'application/x-tar' });
    await pipeline(archive, response);
  };
  // What happens meanwhile has no place in this answer.
  for await (const event of api.engine.builder.build({ ...request, onFiles })) void event;
}
