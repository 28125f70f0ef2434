import { chmodSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DabbaError, digestOf } from '#base';
import type { Image, Mount } from '../engine.ts';
import { findStubs } from '../files/stubs.ts';
import type { Layer } from '../image/internals.ts';
import { timestampOf, type BuildRun } from './build-run.ts';
import { stepFault } from './fault.ts';
import type { InstructionOf } from './instruction.ts';
import { heredocText } from './lines.ts';
import { shellOf } from './metadata.ts';
import { isProxyArg } from './platform.ts';
import { buildLabel } from './ports.ts';
import type { OpenMounts } from './run-binds.ts';
import { withVariables } from './run-secrets.ts';
import { environmentOf, type StageState } from './state.ts';

/** A RUN, ready to be run. */
export interface RunStep {
  readonly run: InstructionOf<'RUN'>;
  readonly args: readonly string[];
  /** A file that must be there to be run. */
  readonly script?: { readonly path: string; readonly text: string };
  /** As the error message and the history show it. */
  readonly display: string;
  readonly environment: readonly string[];
  /** ARGs that are in the environment and count for the cache, `name=value`. */
  readonly buildArgs: readonly string[];
  readonly network: 'bridge' | 'none' | 'host';
}

/** Works out what a RUN runs. Throws `InvalidArgument` for flags it cannot have. */
export function prepareRun(build: BuildRun, state: StageState, run: InstructionOf<'RUN'>): RunStep {
  const environment = environmentOf(state.config);
  const declared = [...state.args].filter(([name]) => !environment.has(name));
  const buildArgs = declared.map(([name, value]) => `${name}=${value}`).sort();
  const proxies = Object.entries(build.request.buildArgs).filter(
    ([name]) => isProxyArg(name) && !environment.has(name) && !state.args.has(name),
  );
  const program = programOf(state, run);
  return {
    ...program,
    run,
    display: program.args.join(' '),
    environment: [...proxies.map(([name, value]) => `${name}=${value}`), ...buildArgs, ...(state.config.Env ?? [])],
    buildArgs,
    network: networkOf(build, run),
  };
}

/** What to run; a heredoc with an interpreter line of its own becomes a file, which the kernel then runs. */
function programOf(state: StageState, run: InstructionOf<'RUN'>): Pick<RunStep, 'args' | 'script'> {
  const { command, heredocs } = run;
  if (command.form === 'exec') return { args: command.args };
  const [script] = heredocs;
  if (!script) return { args: [...shellOf(state.config), command.text] };
  if (/^<<-?\S+$/.test(command.text)) {
    const text = heredocText(script);
    if (!text.startsWith('#!')) return { args: [...shellOf(state.config), text] };
    const path = `${scriptDirectory}/${script.name}`;
    return { args: [path], script: { path, text } };
  }
  const bodies = heredocs.map(({ content, name }) => `\n${content}${name}`).join('');
  return { args: [...shellOf(state.config), `${command.text}${bodies}`] };
}

/** Below /dev, which is the container's own and never part of a layer. */
const scriptDirectory = '/dev/pipes';

function networkOf(build: BuildRun, run: InstructionOf<'RUN'>): RunStep['network'] {
  const flag = run.flags.find(({ name }) => name === 'network')?.value;
  const named = run.flags.find(({ name }) => name === 'security' || name === 'device');
  if (named && !(named.name === 'security' && named.value === 'sandbox'))
    throw stepFault('Unimplemented', run.at, `RUN --${named.name}=${named.value} is not supported`);
  const wanted = flag === undefined || flag === 'default' ? (build.request.networkMode ?? 'default') : flag;
  if (wanted === 'default' || wanted === 'bridge' || wanted === '') return 'bridge';
  if (wanted === 'host' && typeof build.request.runOptions?.namespaces?.user === 'object')
    throw stepFault(
      'InvalidArgument',
      run.at,
      "cannot share the host's network namespace when user namespaces are enabled",
    );
  if (wanted === 'none' || wanted === 'host') return wanted;
  throw stepFault('Unimplemented', run.at, `network "${wanted}" is not supported for RUN`);
}

/** Runs the step in a container over the stage's chain and makes a layer of what it wrote. */
export async function executeRun(build: BuildRun, state: StageState, step: RunStep, asked: OpenMounts): Promise<Layer> {
  const { containers, steps, internals } = build.parts;
  const { signal } = build.request;
  const image = imageOf(build, state);
  const { User, WorkingDir } = state.config;
  await using cleanup = new AsyncDisposableStack();
  const mounts = [...asked.mounts, ...(await placeScript(build, step, cleanup))];
  const container = await steps.createFrom(
    { image, chainId: state.chainId },
    {
      image: image.id,
      entrypoint: withVariables(step.args, asked.variables),
      command: [],
      environment: [...step.environment, ...asked.environment],
      workingDirectory: WorkingDir ?? '/',
      ...(User === undefined ? {} : { user: User }),
      ...build.request.runOptions,
      labels: { [buildLabel]: image.id },
      network: step.network === 'bridge' ? { mode: 'bridge', network: 'bridge' } : { mode: step.network },
      mounts,
      healthCheck: { Test: ['NONE'] },
    },
  );
  try {
    await build.emit({ kind: 'note', text: `Running in ${container.id.slice(0, 12)}` });
    await using attachment = await containers.attach(container.id, { stdin: false, stdout: true, stderr: true });
    const ended = containers.wait(container.id, 'next-exit', signal);
    // Observed below; until then its failure must not count as unhandled.
    ended.catch(() => undefined);
    await containers.start(container.id);
    // A silent step would not notice that it was given up: its output ends then.
    const giveUp = () => void attachment[Symbol.asyncDispose]();
    signal.addEventListener('abort', giveUp, { once: true });
    if (signal.aborted) giveUp();
    for await (const { stream, data } of attachment.output) await build.emit({ kind: 'output', stream, data });
    signal.removeEventListener('abort', giveUp);
    signal.throwIfAborted();
    const { exitCode } = await ended;
    if (exitCode !== 0)
      throw new DabbaError(
        'FailedPrecondition',
        // Docker's words, which clients look for, and the place.
        `The command '${step.display}' returned a non-zero code: ${exitCode} (${step.run.at.file}:${step.run.at.startLine})`,
      );
    const upper = await steps.takeUpper(container.id);
    await using view = await internals.snapshots.openView(state.chainId);
    const targets = mounts.map(({ target }) => target);
    for (const path of findStubs(upper, view.path, targets)) rmSync(join(upper, path), { recursive: true });
    return await internals.commitUpper({ parent: state.chainId, upper, ...timestampOf(build), signal });
  } finally {
    await containers.remove(container.id, { force: true });
  }
}

/** Writes the script of a step where it can be mounted from. */
async function placeScript(build: BuildRun, { script }: RunStep, cleanup: AsyncDisposableStack): Promise<Mount[]> {
  if (!script) return [];
  const { snapshots } = build.parts.internals;
  const directory = await snapshots.makeTemporary();
  cleanup.defer(() => snapshots.discard(directory));
  const source = join(directory, 'script');
  writeFileSync(source, script.text);
  chmodSync(source, 0o755);
  return [{ kind: 'bind', source, target: script.path, isReadOnly: true, isMapped: true }];
}

/**
 * The image a container would be made from now. It is recorded nowhere; its ID only has to be a digest of its own. What RUN writes below a
 * VOLUME stays in the image, as with BuildKit, so the step has no volumes.
 */
function imageOf(build: BuildRun, state: StageState): Image {
  const { Volumes: _, ...config } = state.config;
  return {
    id: digestOf(state.cacheKey),
    references: [],
    repoDigests: [],
    config,
    architecture: build.platform.architecture,
    os: build.platform.os,
    createdAt: state.createdAt,
    diffIds: state.diffIds,
    history: state.history,
    sizeBytes: 0,
  };
}
