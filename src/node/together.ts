/**
 * Runs all at once. When one fails the signal of the others is aborted, and the failure is thrown when every one of them has returned: nothing
 * goes on behind the caller's back.
 */
export async function together(
  signal: AbortSignal,
  actions: readonly ((signal: AbortSignal) => Promise<void>)[],
): Promise<void> {
  const failed = new AbortController();
  const either = AbortSignal.any([signal, failed.signal]);
  let first: { readonly error: unknown } | undefined;
  await Promise.all(
    actions.map(async (action) => {
      try {
        await action(either);
      } catch (error) {
        first ??= { error };
        failed.abort(error);
      }
    }),
  );
  if (first) throw first.error;
  signal.throwIfAborted();
}
