import type { Image } from '@aws-sdk/client-ec2';
import { AwsError } from '../errors.ts';
import type { Handlers } from '../service.ts';
import { paginate } from './describe.ts';
import { applyFilters, type FilterFields } from './filters.ts';

/** What an instance here is: a place without an operating system of its own, whose kernel is the machine's. */
interface LightImage {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly architecture: 'x86_64' | 'arm64';
  readonly tags: { readonly [key: string]: string };
}

/** Who owns the images that come with dabba: the alias `amazon` has this account for most of AWS's own. */
const OWNER = '137112412989';
const CREATED = '2026-01-01T00:00:00.000Z';

const images: readonly LightImage[] = [
  {
    id: 'ami-0da88a000000a3641',
    name: 'dabba-light-host-arm64',
    description: 'An address and a share of the machine',
    architecture: 'arm64',
    tags: {},
  },
  {
    id: 'ami-0da88a000000f8664',
    name: 'dabba-light-host-x86_64',
    description: 'An address and a share of the machine',
    architecture: 'x86_64',
    tags: {},
  },
];

/** The architecture of this machine, which instances share. */
export const machineArchitecture = process.arch === 'arm64' ? 'arm64' : 'x86_64';

/** The image of this machine's instances. */
export const lightImageId = images.find(({ architecture }) => architecture === machineArchitecture)!.id;

/** Throws for an image that instances of this machine cannot be made from. */
export function checkImage(id: string | undefined): string {
  if (!id) throw new AwsError('MissingParameter', 'The request must contain the parameter ImageId');
  if (!/^ami-[0-9a-f]+$/.test(id))
    throw new AwsError('InvalidAMIID.Malformed', `Invalid id: "${id}" (expecting "ami-...")`);
  const image = images.find((known) => known.id === id);
  if (!image)
    throw new AwsError(
      'InvalidAMIID.NotFound',
      `The image id '[${id}]' does not exist; this machine offers ${lightImageId}`,
    );
  if (image.architecture !== machineArchitecture)
    throw new AwsError('InvalidAMIID.Unavailable', `The image ${id} is for ${image.architecture}`);
  return id;
}

const fields: FilterFields<LightImage> = {
  'image-id': ({ id }) => id,
  name: ({ name }) => name,
  architecture: ({ architecture }) => architecture,
  description: ({ description }) => description,
  'owner-id': () => OWNER,
  'owner-alias': () => 'amazon',
  state: () => 'available',
  'image-type': () => 'machine',
  'is-public': () => true,
  'virtualization-type': () => 'hvm',
  'root-device-type': () => 'instance-store',
};

function toImage({ id, name, description, architecture }: LightImage): Image {
  return {
    ImageId: id,
    Name: name,
    Description: description,
    Architecture: architecture,
    ImageLocation: `amazon/${name}`,
    ImageOwnerAlias: 'amazon',
    OwnerId: OWNER,
    ImageType: 'machine',
    Public: true,
    State: 'available',
    CreationDate: CREATED,
    Hypervisor: 'xen',
    VirtualizationType: 'hvm',
    RootDeviceType: 'instance-store',
    BlockDeviceMappings: [],
    PlatformDetails: 'Linux/UNIX',
    Tags: [],
  };
}

export const imageHandlers = {
  DescribeImages(input) {
    const unknown = (input.ImageIds ?? []).find((id) => !images.some((known) => known.id === id));
    if (unknown) throw new AwsError('InvalidAMIID.NotFound', `The image id '[${unknown}]' does not exist`);
    const isOwned = !input.Owners?.length || input.Owners.some((owner) => owner === 'amazon' || owner === OWNER);
    const named = images.filter(({ id }) => isOwned && (!input.ImageIds?.length || input.ImageIds.includes(id)));
    const page = paginate(applyFilters(named, input.Filters, fields), {
      maxResults: input.MaxResults,
      nextToken: input.NextToken,
    });
    return { Images: page.items.map(toImage), NextToken: page.nextToken };
  },
} satisfies Handlers<typeof import('@aws-sdk/client-ec2')>;
