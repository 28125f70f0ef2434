import { DabbaError } from '#base';
import type { Network } from '#engine';
import { hasPair } from './filters.ts';

type Test = (network: Network) => boolean;

/** The filters of GET /networks as one test: each must hold for one of its values (`label`: for all). */
export function networkFilter(filters: ReadonlyMap<string, readonly string[]>, isInUse: Test): Test {
  const tests = [...filters].map(([name, values]) => testOf(name, values, isInUse));
  return (network) => tests.every((test) => test(network));
}

function testOf(filter: string, values: readonly string[], isInUse: Test): Test {
  switch (filter) {
    case 'name':
      return ({ name }) => values.some((value) => name.includes(value));
    case 'id':
      return ({ id }) => values.some((value) => id.includes(value));
    case 'driver':
      return ({ driver }) => values.includes(driver);
    case 'scope':
      return () => values.includes('local');
    case 'label':
      return ({ labels }) => values.every((value) => hasPair(labels, value));
    case 'label!':
      return ({ labels }) => !values.some((value) => hasPair(labels, value));
    case 'type':
      return ({ isPredefined }) => values.includes(isPredefined ? 'builtin' : 'custom');
    case 'dangling': {
      const isDangling = values.some((value) => ['1', 'true'].includes(value));
      return (network) => (!network.isPredefined && !isInUse(network)) === isDangling;
    }
    default:
      throw new DabbaError('InvalidArgument', `invalid filter '${filter}'`);
  }
}
