import type { Reconciler, ReconcileSource } from '#reconcile';
import type { WorkerContext } from './context.ts';
import { SandboxFailed } from './failure.ts';
import { sandboxOf } from './identity.ts';
import { Interrupts } from './interrupts.ts';
import type { Node, SandboxFailure, SandboxSpec } from './sandbox.ts';
import { initialStatus } from './status.ts';
import { StatusWriter } from './status-writer.ts';
import { advance } from './steps/advance.ts';
import { remove } from './steps/remove.ts';
import { stop } from './steps/stop.ts';

/** Sandboxes worked on at once. Stopping one may take its whole stop timeout, so this is generous; the engine has limits of its own. */
const CONCURRENCY = 64;

/** Engine events that may change what a sandbox's status says. */
const noted = /^(die|oom|destroy|health_status)/;

/** Brings every sandbox of this machine's nodes to what its spec wants. Keys are those of specs and statuses: node, tenant, sandbox. */
export function sandboxReconciler(context: WorkerContext, nodes: readonly Node[]): Reconciler {
  const interrupts = new Interrupts();
  return {
    name: 'node-sandboxes',
    concurrency: CONCURRENCY,
    sources: nodes.map((node) => specsOf(node, context, interrupts)),
    events: (signal) => wakes(context, nodes, signal),
    reconcile: (key, signal) => reconcile(context, key, { interrupts, signal }),
  };
}

async function reconcile(
  context: WorkerContext,
  key: string,
  { interrupts, signal }: { readonly interrupts: Interrupts; readonly signal: AbortSignal },
): Promise<void | { readonly afterMs: number }> {
  using work = interrupts.begin(key, signal);
  const { specs, statuses } = context.records;
  const [spec, written] = await Promise.all([specs.get(key), statuses.get(key)]);
  if (!spec) return await remove(context, key);
  const sandbox = spec.value;
  const status = new StatusWriter(statuses, key, { written, initial: initialStatus(sandbox) });
  if (status.current.phase === 'stopped') return undefined;
  let again: void | { readonly afterMs: number };
  try {
    again = await live(context, sandbox, { status, signal: work.signal, letGo: signal });
  } catch (error) {
    // What is known so far is worth reporting, whatever went wrong; the key comes again.
    await status.flush();
    if (!work.isInterrupted || signal.aborted) throw error;
    return { afterMs: 0 };
  }
  await status.flush();
  return again;
}

/** One pass through a sandbox's life: towards running, or, once it is stopping for whatever reason, towards stopped. */
async function live(
  context: WorkerContext,
  sandbox: SandboxSpec,
  {
    status,
    signal,
    letGo,
  }: { readonly status: StatusWriter; readonly signal: AbortSignal; readonly letGo: AbortSignal },
): Promise<void | { readonly afterMs: number }> {
  if (sandbox.desired === 'stopped') beginStop(status, { kind: 'requested', message: 'the sandbox was asked to stop' });
  if (status.current.phase !== 'stopping') {
    try {
      return await advance(context, sandbox, { status, signal });
    } catch (error) {
      if (!(error instanceof SandboxFailed)) throw error;
      if (error.container !== undefined) status.updateContainer(error.container, { reason: describe(error.failure) });
      beginStop(status, error.failure);
    }
  }
  return await stop(context, sandbox, { status, letGo });
}

function beginStop(status: StatusWriter, failure: SandboxFailure): void {
  if (status.current.phase !== 'stopping') status.update({ phase: 'stopping', failure });
}

function describe({ reason, message }: SandboxFailure): string {
  return reason === undefined ? message : `${reason}: ${message}`;
}

function specsOf(node: Node, { records }: WorkerContext, interrupts: Interrupts): ReconcileSource {
  return {
    prefix: records.specs.key(`${node.id}/`),
    keysOf({ key: fullKey, value }) {
      const key = fullKey.slice(records.specs.prefix.length);
      // The key is queued behind the work on it that is under way; this tells that work that it is in vain.
      if (value === undefined || isUnwanted(value)) interrupts.interrupt(key);
      return [key];
    },
  };
}

function isUnwanted(value: Uint8Array): boolean {
  // Written by a `Collection<SandboxSpec>`.
  return (JSON.parse(Buffer.from(value).toString()) as SandboxSpec).desired === 'stopped';
}

/** Sandboxes that something happened to on this machine; first of all every one there is any trace of. */
async function* wakes(context: WorkerContext, nodes: readonly Node[], signal: AbortSignal): AsyncGenerator<string> {
  const events = context.engine.events(signal);
  yield* await context.local.keys();
  for (const { create } of await context.engine.containers.list()) {
    const key = sandboxOf(create.labels);
    if (key !== undefined) yield key;
  }
  for (const { id } of nodes) for (const status of await context.records.statuses.list(`${id}/`)) yield status.id;
  for await (const { type, action, attributes } of events) {
    const key = type === 'container' && noted.test(action) ? sandboxOf(attributes) : undefined;
    if (key !== undefined) yield key;
  }
}
