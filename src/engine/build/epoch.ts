import { DabbaError } from '#base';

/** The build argument SOURCE_DATE_EPOCH (reproducible-builds.org): seconds that no time in the result exceeds. */
export function readEpoch(buildArgs: { readonly [name: string]: string }): number | undefined {
  const text = buildArgs['SOURCE_DATE_EPOCH'];
  if (text === undefined || text === '') return undefined;
  if (!/^\d{1,11}$/.test(text))
    throw new DabbaError(
      'InvalidArgument',
      `build argument SOURCE_DATE_EPOCH=${text} is not a number of seconds since 1970`,
    );
  return Number(text);
}
