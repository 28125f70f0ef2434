import type { BuildRequest } from '#engine';
import { readHostOptions } from './container-host.ts';
import { checkProcessors, readResources } from './container-resources.ts';
import { readUlimits } from './container-ulimits.ts';
import { parseJson, type Exchange } from './exchange.ts';
import { Fields, present } from './fields.ts';

/** Numbers of the query and what they are called in a HostConfig. */
const numbers: { readonly [parameter: string]: string } = {
  memory: 'Memory',
  memswap: 'MemorySwap',
  cpushares: 'CpuShares',
  cpuperiod: 'CpuPeriod',
  cpuquota: 'CpuQuota',
  shmsize: 'ShmSize',
};
const texts: { readonly [parameter: string]: string } = {
  cpusetcpus: 'CpusetCpus',
  cpusetmems: 'CpusetMems',
  cgroupparent: 'CgroupParent',
};

/** What POST /build says of the containers of RUN, read as the HostConfig it would be. Throws `InvalidArgument`. */
export function readRunOptions({ query }: Exchange, cpus: number): NonNullable<BuildRequest['runOptions']> {
  const given = (names: typeof numbers, valueOf: (text: string) => unknown) =>
    Object.entries(names).flatMap(([parameter, name]) => {
      const text = query.get(parameter);
      return text ? [[name, valueOf(text)] as const] : [];
    });
  const host = new Fields({
    ...Object.fromEntries([...given(numbers, Number), ...given(texts, (text) => text)]),
    ExtraHosts: query.getAll('extrahosts').filter(Boolean),
    Ulimits: parseJson(query.get('ulimits') ?? '', 'ulimits'),
  });
  const { resolution, sharedMemoryBytes } = readHostOptions(host);
  const resources = readResources(host);
  checkProcessors(resources, cpus);
  return present({
    resources,
    ulimits: readUlimits(host),
    cgroupParent: host.word('CgroupParent'),
    resolution,
    sharedMemoryBytes,
  });
}
