import { isDabbaError, messageOf } from '#base';
import type { Container } from '#engine';
import { type AttachedInterface, recordId } from '#network';
import { attempt } from '../attempts.ts';
import { containerRequest } from '../container-request.ts';
import type { WorkerContext } from '../context.ts';
import { cannotStart } from '../failure.ts';
import { type ContainerSpec, type SandboxSpec, sandboxKey } from '../sandbox.ts';
import type { StatusWriter } from '../status-writer.ts';
import { manifestDigest } from '../status.ts';
import { together } from '../together.ts';
import { pull } from './pull.ts';

/**
 * Makes everything that has to be there before the first process: network interface, images, places for logs, cgroup, volumes, and the
 * containers themselves. Only what is missing is made; network, images and logs at the same time.
 */
export async function prepare(
  context: WorkerContext,
  sandbox: SandboxSpec,
  {
    status,
    existing,
    signal,
  }: {
    readonly status: StatusWriter;
    readonly existing: ReadonlyMap<string, Container>;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  const { local, cgroups, clock } = context;
  const { networkInterfaceId } = sandbox;
  status.update({ phase: 'pulling', pullStartedAt: status.current.pullStartedAt ?? clock.now() });
  await local.save({ key: sandboxKey(sandbox), ...(networkInterfaceId !== undefined && { networkInterfaceId }) });
  cgroups.ensure(cgroupOf(context, sandbox), sandbox);

  let network: AttachedInterface | undefined;
  await together(signal, [
    async (stop) => void (network = await attachNetwork(context, sandbox, stop)),
    ...sandbox.containers.map((container) => (stop: AbortSignal) => openLog(context, sandbox, container, stop)),
    ...sandbox.containers
      .filter(({ name }) => !existing.has(name))
      .map((container) => async (stop: AbortSignal) => {
        const image = await pull(context, sandbox, container, stop);
        const imageDigest = manifestDigest(image, container.image);
        if (imageDigest !== undefined) status.updateContainer(container.name, { imageDigest });
      }),
  ]);
  status.update({ phase: 'starting', pullStoppedAt: status.current.pullStoppedAt ?? clock.now() });

  const volumes = new Map<string, string>();
  for (const { name } of sandbox.volumes) volumes.set(name, await local.volume(sandboxKey(sandbox), name));
  await together(
    signal,
    sandbox.containers
      .filter(({ name }) => !existing.has(name))
      .map((container) => () => create(context, sandbox, container, { network, volumes })),
  );
}

/** The cgroup of a sandbox. */
export function cgroupOf({ cgroupParent }: WorkerContext, sandbox: { readonly id: string }): string {
  return `${cgroupParent}/${sandbox.id}`;
}

async function attachNetwork(
  { networkInterfaces, network, clock }: WorkerContext,
  sandbox: SandboxSpec,
  signal: AbortSignal,
): Promise<AttachedInterface | undefined> {
  const { networkInterfaceId, tenant, region } = sandbox;
  if (networkInterfaceId === undefined) return undefined;
  try {
    return await attempt(clock, signal, async () => {
      const eni = await networkInterfaces.get(recordId({ tenant, region, id: networkInterfaceId }));
      if (!eni) throw new Error(`network interface ${networkInterfaceId} does not exist`);
      return await network.attach(eni.value);
    });
  } catch (error) {
    signal.throwIfAborted();
    throw cannotStart('ResourceInitializationError', `unable to set up the network interface: ${messageOf(error)}`);
  }
}

async function openLog(
  { logs, clock }: WorkerContext,
  sandbox: SandboxSpec,
  container: ContainerSpec,
  signal: AbortSignal,
): Promise<void> {
  try {
    await attempt(clock, signal, () => logs.open(sandbox, container, signal));
  } catch (error) {
    signal.throwIfAborted();
    throw cannotStart(
      'ResourceInitializationError',
      `failed to validate logger args: ${messageOf(error)}`,
      container.name,
    );
  }
}

async function create(
  context: WorkerContext,
  sandbox: SandboxSpec,
  container: ContainerSpec,
  made: { readonly network: AttachedInterface | undefined; readonly volumes: ReadonlyMap<string, string> },
): Promise<void> {
  const request = containerRequest(sandbox, container, {
    ...made,
    cgroupParent: cgroupOf(context, sandbox),
    environment: context.services.environment(sandbox, container),
  });
  try {
    await context.engine.containers.create(request);
  } catch (error) {
    // Made by an earlier attempt that did not live to see it.
    if (isDabbaError(error, 'AlreadyExists')) return;
    if (isDabbaError(error, 'Unavailable')) throw error;
    throw cannotStart('CannotCreateContainerError', messageOf(error), container.name);
  }
}
