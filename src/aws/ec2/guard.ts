import { AwsError } from '../errors.ts';
import type { CallContext } from '../service.ts';

type AnyHandler = (input: never, context: CallContext) => unknown;

/**
 * Wraps each handler: the account's default VPC exists before anything looks, and `DryRun` answers, as EC2 does once the call is
 * authorised, with the error `DryRunOperation` instead of doing it.
 */
export function guarded<Handlers extends { readonly [operation: string]: AnyHandler }>(
  handlers: Handlers,
  before: (context: CallContext) => Promise<void>,
): Handlers {
  const wrap =
    (handler: AnyHandler): AnyHandler =>
    async (input, context) => {
      if ((input as { readonly DryRun?: boolean }).DryRun)
        throw new AwsError('DryRunOperation', 'Request would have succeeded, but DryRun flag is set.', { status: 412 });
      await before(context);
      return handler(input, context);
    };
  // Every handler keeps its own input and output types: the wrapper passes both through.
  return Object.fromEntries(Object.entries(handlers).map(([name, handler]) => [name, wrap(handler)])) as Handlers;
}
