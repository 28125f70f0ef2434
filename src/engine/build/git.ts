import { spawn } from 'node:child_process';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DabbaError, systemCode } from '#base';
import { resolveBeneath, statOf } from './beneath.ts';
import type { BuildRun } from './build-run.ts';
import { stepFault } from './fault.ts';
import type { InstructionOf } from './instruction.ts';
import { defaultPath } from './state.ts';

type Add = InstructionOf<'COPY' | 'ADD'>;

/** True for a source that git fetches: over its own protocol or SSH, or a URL that ends in `.git`. */
export const isRepository = (text: string) => /^(?:git@|git:|ssh:)/i.test(text) || /\.git(?:#.*)?$/.test(text);

/**
 * Fetches `URL[#ref[:directory]]` beneath `root` and gives the path of the directory wanted. No configuration or key of this machine is used,
 * only the build's own SSH agent.
 */
export async function fetchRepository(build: BuildRun, add: Add, source: string, root: string): Promise<string> {
  const [url = '', fragment = ''] = source.split('#', 2);
  const text = withoutCredentials(source);
  const [ref = '', directory = ''] = fragment.split(':', 2);
  if (ref.startsWith('-'))
    throw stepFault('InvalidArgument', add.at, `ADD ${text}: "${ref}" is no branch, tag or commit`);
  const repository = join(root, 'repository');
  await mkdir(repository);
  const git = (...args: readonly string[]) => runGit(build, add, { text, repository, args });
  await git('init', '-q');
  await git('fetch', '-q', '--depth=1', '--no-tags', '--', url, ref === '' ? 'HEAD' : ref).catch(
    async (error: unknown) => {
      // Not every server gives out a commit, or a short history: then all of it, to look for the commit in.
      build.request.signal.throwIfAborted();
      if (!/^[0-9a-f]{7,64}$/.test(ref)) throw error;
      await git('fetch', '-q', '--', url, '+refs/heads/*:refs/remotes/origin/*', '+refs/tags/*:refs/tags/*');
      await git('update-ref', 'FETCH_HEAD', `${ref}^{commit}`);
    },
  );
  await git('checkout', '-q', '--detach', 'FETCH_HEAD');
  const commit = (await git('rev-parse', 'HEAD')).trim();
  if (add.checksum !== undefined && !commit.startsWith(add.checksum))
    throw stepFault('InvalidArgument', add.at, `ADD ${text}: digest mismatch: it is ${commit}, not ${add.checksum}`);
  if (statOf(join(repository, '.gitmodules')))
    await git('submodule', 'update', '-q', '--init', '--recursive', '--depth=1');
  if (!add.isGitDirectoryKept) await rm(join(repository, '.git'), { recursive: true });
  const path = resolveBeneath(repository, directory);
  if (!statOf(join(repository, path))?.isDirectory())
    throw stepFault('InvalidArgument', add.at, `ADD ${text}: the repository has no directory "${directory}"`);
  return ['repository', path].filter(Boolean).join('/');
}

interface GitCall {
  readonly text: string;
  readonly repository: string;
  readonly args: readonly string[];
}

/** What it prints. Throws `Unavailable` with its last words, `FailedPrecondition` where there is no git. */
async function runGit(build: BuildRun, add: Add, { text, repository, args }: GitCall): Promise<string> {
  const agent = build.request.sshAgents?.['default'];
  const child = spawn('git', ['-c', 'core.hooksPath=/dev/null', '-c', 'protocol.file.allow=never', ...args], {
    cwd: repository,
    signal: build.request.signal,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: defaultPath,
      HOME: repository,
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_CONFIG_GLOBAL: '/dev/null',
      GIT_TERMINAL_PROMPT: '0',
      GIT_ALLOW_PROTOCOL: 'https:http:git:ssh',
      GIT_SSH_COMMAND: 'ssh -F none -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null',
      ...(agent === undefined ? {} : { SSH_AUTH_SOCK: agent }),
    },
  });
  const ended = Promise.withResolvers<number | null>();
  child.once('error', ended.reject).once('close', ended.resolve);
  const output: Buffer[] = [];
  const complaints: Buffer[] = [];
  child.stdout.on('data', (data: Buffer) => output.push(data));
  child.stderr.on('data', (data: Buffer) => complaints.push(data));
  try {
    if ((await ended.promise) === 0) return Buffer.concat(output).toString();
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
    throw stepFault(
      'FailedPrecondition',
      add.at,
      `ADD ${text} needs git on this machine: install it, e.g. apt-get install git`,
    );
  }
  const words = Buffer.concat(complaints).toString().trim().split('\n').slice(-3).join('; ');
  throw new DabbaError('Unavailable', `${add.at.file}:${add.at.startLine}: ADD ${text}: git ${args[0]}: ${words}`);
}

/** For messages: without what stands before an `@`. */
export const withoutCredentials = (url: string) => url.replace(/^([a-z]+:\/\/)[^/@]*@/i, '$1');
