import { KernelError } from '#kernel';
import { dialFailure, failed, type ProbeOutcome, type ProbeTarget, succeeded } from './probe.ts';

/** Succeeds when the port takes a connection. */
export async function probeTcp(
  target: ProbeTarget,
  { host, port }: { readonly host: string | undefined; readonly port: number },
  signal: AbortSignal,
): Promise<ProbeOutcome> {
  const address = host || target.address;
  try {
    (await target.dial(port, { address, signal })).destroy();
    return succeeded;
  } catch (error) {
    if (signal.aborted) return failed(`dial tcp ${address}:${port}: i/o timeout`);
    if (error instanceof KernelError) return failed(dialFailure(error, `${address}:${port}`));
    throw error;
  }
}
