import type { CapacityProviderStrategyItem } from '@aws-sdk/client-ecs';
import type { Handlers } from '../service.ts';
import { invalidParameter, shortName } from './names.ts';

/** Capacity that is always there and cannot be made or deleted. */
const fargateProviders = ['FARGATE', 'FARGATE_SPOT'];

/** Throws unless every provider exists and a strategy uses providers of the cluster, with at most one base. */
export function checkCapacityProviders(
  providers: readonly string[] | undefined,
  strategy: readonly CapacityProviderStrategyItem[] | undefined,
): void {
  for (const name of providers ?? [])
    if (!fargateProviders.includes(name))
      throw invalidParameter(`The specified capacity provider '${name}' was not found.`);
  checkStrategy(strategy, providers ?? []);
}

export function checkStrategy(
  strategy: readonly CapacityProviderStrategyItem[] | undefined,
  providers: readonly string[],
): void {
  for (const { capacityProvider = '' } of strategy ?? [])
    if (!providers.includes(capacityProvider))
      throw invalidParameter(
        `The specified capacity provider '${capacityProvider}' is not associated with the cluster.`,
      );
  if ((strategy ?? []).filter(({ base = 0 }) => base > 0).length > 1)
    throw invalidParameter('A capacity provider strategy cannot contain more than one capacity provider with a base.');
}

/**
 * Deals `count` tasks out to the providers of a strategy, in order: its base first, then by weight (CapacityProviderStrategyItem, "weight"
 * and "base"). All weights zero, and no base left, means that no task can be placed.
 */
export function dealOut(strategy: readonly CapacityProviderStrategyItem[], count: number): string[] {
  const dealt: string[] = [];
  for (const { capacityProvider, base = 0 } of strategy)
    for (let index = 0; index < base && dealt.length < count; index++) dealt.push(capacityProvider!);
  const given = new Map<string, number>();
  while (dealt.length < count) {
    const weighted = strategy.filter(({ weight = 0 }) => weight > 0);
    if (!weighted.length)
      throw invalidParameter(
        'A capacity provider strategy must contain at least one capacity provider with a weight greater than 0.',
      );
    const share = ({ capacityProvider, weight = 0 }: CapacityProviderStrategyItem) =>
      (given.get(capacityProvider!) ?? 0) / weight;
    const next = weighted.reduce((least, item) => (share(item) < share(least) ? item : least)).capacityProvider!;
    given.set(next, (given.get(next) ?? 0) + 1);
    dealt.push(next);
  }
  return dealt;
}

export function capacityProviderHandlers() {
  return {
    DescribeCapacityProviders(input, { region, account }) {
      const arnOf = (name: string) => `arn:aws:ecs:${region}:${account}:capacity-provider/${name}`;
      const names = input.capacityProviders?.length ? input.capacityProviders.map(shortName) : fargateProviders;
      return {
        capacityProviders: names
          .filter((name) => fargateProviders.includes(name))
          .map((name) => ({ capacityProviderArn: arnOf(name), name, status: 'ACTIVE', tags: [] })),
        failures: names
          .filter((name) => !fargateProviders.includes(name))
          .map((name) => ({ arn: arnOf(name), reason: 'MISSING' })),
      };
    },
  } satisfies Handlers<typeof import('@aws-sdk/client-ecs')>;
}
