import { AwsError } from '../errors.ts';
import type { Structure } from '../wire/index.ts';
import type { Call } from './call.ts';

/** Has the service put what the input names in its place. What is not there is told only to those who may do what they ask. */
export async function resolve(call: Call): Promise<void> {
  const { definition } = call.service!;
  const operation = call.wireCall!.operation.name;
  try {
    // A service changes members of an input, never its shape.
    const resolved = await definition.resolve?.(operation, call.input!, call.context!);
    call.resolved = (resolved as Structure | undefined) ?? call.input!;
  } catch (error) {
    if (!(error instanceof AwsError)) throw error;
    call.resolved = call.input!;
    call.unresolved = error;
  }
}
