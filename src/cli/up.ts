import { closeSync, mkdirSync, openSync } from 'node:fs';
import { spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import {
  announcement,
  announcing,
  layoutOf,
  livingProcess,
  rememberedSettings,
  resolveSettings,
  subordinateIds,
  type Layout,
  type SettingsInput,
} from '#daemon';
import { flag, text, UsageError, type Command, type Invocation } from './command.ts';
import { requireMachine } from './doctor.ts';

export const up: Command = {
  summary: 'start dabba (-d: in the background, returning when it is ready)',
  usage: '[-d] [--data DIR] [--port N]',
  options: {
    detach: { type: 'boolean', short: 'd', help: 'run in the background; returns when ready' },
    port: { type: 'string', help: 'port of the AWS endpoint and registry on loopback (4566)', placeholder: 'N' },
    'public-cidr': { type: 'string', help: 'pool of public addresses (198.18.0.0/16)', placeholder: 'CIDR' },
    account: { type: 'string', help: 'default account (000000000000)', placeholder: 'ID' },
    'root-key': { type: 'string', help: 'root access key of the default account', placeholder: 'KEYID:SECRET' },
    'userns-remap': {
      type: 'string',
      help: 'run Docker’s containers as subordinate ids of a user (default, USER[:GROUP]; root: off)',
      placeholder: 'USER',
    },
    'allow-reset': { type: 'boolean', help: 'offer POST /_dabba/reset on loopback, for test suites' },
  },
  async run(invocation) {
    requireMachine();
    const layout = layoutOf(text(invocation, 'data'));
    const settings = resolveSettings(inputOf(invocation), rememberedSettings(layout));
    // Here, where a word to the person is near.
    subordinateIds(settings.usernsRemap);
    const running = livingProcess(layout.controlPidFile);
    if (running)
      throw new UsageError(
        `dabba is already running on ${layout.data} (process ${running.pid})`,
        `stop it with: dabba down --data ${layout.data}`,
      );
    if (flag(invocation, 'detach')) return await startInBackground(layout, process.argv.slice(2));
    const { runControlPlane } = await import('#daemon');
    await runControlPlane(layout, settings);
    return 0;
  },
};

function inputOf(invocation: Invocation): SettingsInput {
  const port = text(invocation, 'port');
  const publicCidr = text(invocation, 'public-cidr');
  const account = text(invocation, 'account');
  const rootKey = text(invocation, 'root-key');
  const usernsRemap = text(invocation, 'userns-remap');
  return {
    ...(port !== undefined && { port }),
    ...(publicCidr !== undefined && { publicCidr }),
    ...(account !== undefined && { account }),
    ...(rootKey !== undefined && { rootKey }),
    ...(usernsRemap !== undefined && { usernsRemap }),
    allowReset: flag(invocation, 'allow-reset'),
  };
}

/**
 * Starts the same command in the foreground of a session of its own and waits for its word: on descriptor 3 it writes `ready`, or the
 * message of its failure, and closes it.
 */
async function startInBackground(layout: Layout, args: readonly string[]): Promise<number> {
  mkdirSync(`${layout.data}/log`, { recursive: true });
  const log = openSync(layout.logFile, 'a', 0o640);
  const foreground = args.filter((argument) => argument !== '-d' && argument !== '--detach');
  const child = spawn(process.execPath, [...process.execArgv, process.argv[1]!, ...foreground], {
    detached: true,
    stdio: ['ignore', log, log, 'pipe'],
    env: { ...process.env, ...announcing },
  });
  closeSync(log);
  const { isReady, said } = await announcement(child.stdio[3] as Readable);
  if (isReady) {
    child.unref();
    process.stdout.write(`dabba is up: ${said.join(', ')}\n`);
    return 0;
  }
  throw new UsageError(
    `dabba did not start: ${said.join('; ') || 'it ended without a word'}`,
    `its log: ${layout.logFile}`,
  );
}
