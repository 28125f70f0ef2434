import { DabbaError, messageOf } from '#base';
import type { Exchange, JsonLines } from './exchange.ts';

/** The archive that `fromSrc` of POST /images/create means: the request's body (`-`), or what a server has at a URL, which is `http` if it names no scheme. */
export async function openImportSource(
  source: string,
  { request, signal }: Pick<Exchange, 'request' | 'signal'>,
  lines: JsonLines,
): Promise<AsyncIterable<Uint8Array>> {
  if (source === '-') return request;
  const url = parseUrl(source.includes('://') ? source : `http://${source}`);
  await lines.send({ status: `Downloading from ${url.origin}${url.pathname}` });
  const response = await fetch(url, { signal }).catch((error: unknown) => {
    signal.throwIfAborted();
    const cause = error instanceof Error && error.cause ? error.cause : error;
    throw new DabbaError('Unavailable', `import from ${url.origin}: ${messageOf(cause)}`, { cause: error });
  });
  if (!response.ok || !response.body)
    throw new DabbaError(
      'Unavailable',
      `import from ${url.origin}${url.pathname}: the server answered ${response.status}`,
    );
  return response.body;
}

function parseUrl(text: string): URL {
  const url = URL.parse(text);
  if (!url || !['http:', 'https:'].includes(url.protocol))
    throw new DabbaError('InvalidArgument', `import from "${text}": this is no HTTP URL`);
  return url;
}
