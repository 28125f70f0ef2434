/** What an instance type is: Amazon EC2 User Guide, "Instance types", and "Maximum IP addresses per network interface". */
export interface InstanceType {
  readonly name: string;
  readonly vcpus: number;
  readonly memoryMiB: number;
  readonly architecture: 'x86_64' | 'arm64';
  readonly maxInterfaces: number;
  readonly addressesPerInterface: number;
  readonly isBurstable: boolean;
}

/** Of those who name none. */
export const DEFAULT_INSTANCE_TYPE = 'm5.large';

type Size = readonly [size: string, vcpus: number, memoryMiB: number, interfaces: number, addresses: number];

const burstable: readonly Size[] = [
  ['nano', 2, 512, 2, 2],
  ['micro', 2, 1024, 2, 2],
  ['small', 2, 2048, 3, 4],
  ['medium', 2, 4096, 3, 6],
  ['large', 2, 8192, 3, 12],
  ['xlarge', 4, 16_384, 4, 15],
  ['2xlarge', 8, 32_768, 4, 15],
];

/** Sizes of a family with so much memory for each vCPU. */
function fixed(memoryPerVcpuMiB: number): readonly Size[] {
  const size = (name: string, vcpus: number, interfaces: number, addresses: number): Size => [
    name,
    vcpus,
    vcpus * memoryPerVcpuMiB,
    interfaces,
    addresses,
  ];
  return [size('large', 2, 3, 10), size('xlarge', 4, 4, 15), size('2xlarge', 8, 4, 15), size('4xlarge', 16, 8, 30)];
}

const compute = fixed(2048);
const general = fixed(4096);
const memory = fixed(8192);

const families: { readonly [family: string]: readonly Size[] } = {
  t3: burstable,
  t3a: burstable,
  t4g: burstable,
  c5: compute,
  c6i: compute,
  c6g: compute,
  c7g: compute,
  c7i: compute,
  m5: general,
  m6i: general,
  m6g: general,
  m7g: general,
  m7i: general,
  r5: memory,
  r6i: memory,
  r6g: memory,
  r7g: memory,
  r7i: memory,
};

const types: readonly InstanceType[] = Object.entries(families).flatMap(([family, sizes]) =>
  sizes.map(([size, vcpus, memoryMiB, maxInterfaces, addressesPerInterface]) => ({
    name: `${family}.${size}`,
    vcpus,
    memoryMiB,
    // A `g` behind the generation stands for Graviton.
    architecture: /\dg/.test(family) ? 'arm64' : 'x86_64',
    maxInterfaces,
    addressesPerInterface,
    isBurstable: family.startsWith('t'),
  })),
);

const byName = new Map(types.map((type) => [type.name, type]));

export function instanceTypes(): readonly InstanceType[] {
  return types;
}

/** The type of this name, or undefined. */
export function findInstanceType(name: string): InstanceType | undefined {
  return byName.get(name);
}

/** How many pods an instance's addresses allow: every interface's own address is no pod's, and two pods use the host's network. */
export function maxPodsOf({ maxInterfaces, addressesPerInterface }: InstanceType): number {
  return maxInterfaces * (addressesPerInterface - 1) + 2;
}
