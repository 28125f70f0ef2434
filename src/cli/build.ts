import { writeFileSync } from 'node:fs';
import { layoutOf } from '#daemon';
import { runBuild } from './build-client.ts';
import { openBuildContext } from './build-context.ts';
import { readOutput, openOutput } from './build-output.ts';
import { readSecrets, readSshAgents } from './build-secrets.ts';
import { buildView } from './build-view.ts';
import { flag, text, texts, UsageError, type Command, type Invocation } from './command.ts';

export const build: Command = {
  summary: 'build an image from a Dockerfile, with secrets and SSH agents',
  usage: '[-t NAME] [-f FILE] [--secret id=ID,src=FILE] [--output type=local,dest=DIR] CONTEXT',
  options: {
    tag: {
      type: 'string',
      short: 't',
      multiple: true,
      help: 'name of the image; may be repeated',
      placeholder: 'NAME',
    },
    file: { type: 'string', short: 'f', help: 'the Dockerfile; - is standard input', placeholder: 'FILE' },
    'build-arg': {
      type: 'string',
      multiple: true,
      help: 'value of an ARG; NAME alone takes it from the environment',
      placeholder: 'NAME=VALUE',
    },
    label: { type: 'string', multiple: true, help: 'label of the image', placeholder: 'NAME=VALUE' },
    target: { type: 'string', help: 'stage to build', placeholder: 'STAGE' },
    secret: {
      type: 'string',
      multiple: true,
      help: 'for RUN --mount=type=secret: id=ID,src=FILE or id=ID,env=NAME',
      placeholder: 'SECRET',
    },
    ssh: {
      type: 'string',
      multiple: true,
      help: 'for RUN --mount=type=ssh: default, or ID=SOCKET',
      placeholder: 'AGENT',
    },
    output: {
      type: 'string',
      short: 'o',
      help: 'files in place of an image: DIR, type=tar,dest=FILE, or - for a tar',
      placeholder: 'OUTPUT',
    },
    network: { type: 'string', help: 'of RUN: default, none or host', placeholder: 'MODE' },
    platform: { type: 'string', help: "only this machine's can be built", placeholder: 'OS/ARCH' },
    'cache-from': {
      type: 'string',
      multiple: true,
      help: 'an image that is here, whose steps count as cached',
      placeholder: 'IMAGE',
    },
    'no-cache': { type: 'boolean', help: 'take no step from the cache' },
    pull: { type: 'boolean', help: 'look for newer base images' },
    squash: { type: 'boolean', help: 'make one layer of those above the base' },
    quiet: { type: 'boolean', short: 'q', help: 'print the ID of the image and nothing else' },
    iidfile: { type: 'string', help: 'write the ID of the image there', placeholder: 'FILE' },
  },
  async run(invocation) {
    const [place, ...more] = invocation.positionals;
    if (place === undefined || more.length > 0)
      throw new UsageError('dabba build: expected one CONTEXT', 'usually a directory, as in: dabba build -t app .');
    const output = readOutput(text(invocation, 'output'));
    const secrets = readSecrets(texts(invocation, 'secret'));
    const ssh = readSshAgents(texts(invocation, 'ssh'));
    await using context = await openBuildContext(place, text(invocation, 'file'));
    await using files = output ? openOutput(output) : undefined;
    using view = buildView({ isQuiet: flag(invocation, 'quiet'), isJson: flag(invocation, 'json') });
    const lines = runBuild({
      socket: layoutOf(text(invocation, 'data')).dockerSocket,
      query: queryOf(invocation, context.dockerfile, output !== undefined),
      extras: { secrets, ssh },
      context,
    });
    let imageId: string | undefined;
    for await (const line of lines) {
      if (line.kind === 'files') await files?.write(Buffer.from(line.data, 'base64'));
      else view.show(line);
      if (line.kind === 'result') imageId = line.imageId;
    }
    await files?.end();
    finish(invocation, view, imageId);
    return 0;
  },
};

function finish(invocation: Invocation, view: ReturnType<typeof buildView>, imageId: string | undefined): void {
  view.end();
  const iidFile = text(invocation, 'iidfile');
  if (imageId !== undefined && iidFile !== undefined) writeFileSync(iidFile, imageId);
  if (imageId !== undefined && flag(invocation, 'quiet')) process.stdout.write(`${imageId}\n`);
}

function queryOf(invocation: Invocation, dockerfile: string, isTar: boolean): URLSearchParams {
  const query = new URLSearchParams({ dockerfile });
  for (const tag of texts(invocation, 'tag')) query.append('t', tag);
  for (const [name, parameter] of [
    ['target', 'target'],
    ['network', 'networkmode'],
    ['platform', 'platform'],
  ] as const)
    if (text(invocation, name) !== undefined) query.set(parameter, text(invocation, name)!);
  for (const [name, parameter] of [
    ['no-cache', 'nocache'],
    ['pull', 'pull'],
    ['squash', 'squash'],
  ] as const)
    if (flag(invocation, name)) query.set(parameter, '1');
  query.set('buildargs', JSON.stringify(pairs(texts(invocation, 'build-arg'), process.env)));
  query.set('cachefrom', JSON.stringify(texts(invocation, 'cache-from')));
  query.set('labels', JSON.stringify(pairs(texts(invocation, 'label'), {})));
  if (isTar) query.set('outputs', '[{"Type":"tar"}]');
  return query;
}

/** `NAME=VALUE`; a name alone has its value from `fallback`, or stays unset. */
function pairs(
  entries: readonly string[],
  fallback: { readonly [name: string]: string | undefined },
): { readonly [name: string]: string | null } {
  return Object.fromEntries(
    entries.map((entry) => {
      const equals = entry.indexOf('=');
      return equals < 0 ? [entry, fallback[entry] ?? null] : [entry.slice(0, equals), entry.slice(equals + 1)];
    }),
  );
}
