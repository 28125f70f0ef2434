import type { InstanceMetadataOptionsRequest, InstanceMetadataOptionsResponse } from '@aws-sdk/client-ec2';
import { AwsError } from '../../errors.ts';

/** How an instance's metadata can be read. */
export interface MetadataOptions {
  readonly isEnabled: boolean;
  readonly requiresToken: boolean;
  /** How far the answer to a question for a token goes: 1 is the instance itself, 2 what stands behind it. */
  readonly hopLimit: number;
  readonly showsTags: boolean;
}

/** Those of an image that supports IMDSv2 alone: Amazon EC2 User Guide, "Configure the Instance Metadata Service options". */
export const defaultMetadataOptions: MetadataOptions = {
  isEnabled: true,
  requiresToken: true,
  hopLimit: 2,
  showsTags: false,
};

/** What is asked for, over what there was. Throws `InvalidParameterValue`. */
export function metadataOptions(
  asked: InstanceMetadataOptionsRequest | undefined,
  before: MetadataOptions = defaultMetadataOptions,
): MetadataOptions {
  const { HttpPutResponseHopLimit: hopLimit } = asked ?? {};
  if (hopLimit !== undefined && (hopLimit < 1 || hopLimit > 64))
    throw new AwsError(
      'InvalidParameterValue',
      `Value (${hopLimit}) for parameter HttpPutResponseHopLimit is invalid. It must be between 1 and 64.`,
    );
  if (asked?.HttpProtocolIpv6 === 'enabled')
    throw new AwsError('UnsupportedOperation', 'The metadata service has no IPv6 endpoint.', { status: 501 });
  return {
    isEnabled: isOn(asked?.HttpEndpoint, 'enabled', before.isEnabled),
    requiresToken: isOn(asked?.HttpTokens, 'required', before.requiresToken),
    hopLimit: hopLimit ?? before.hopLimit,
    showsTags: isOn(asked?.InstanceMetadataTags, 'enabled', before.showsTags),
  };
}

function isOn(asked: string | undefined, on: string, before: boolean): boolean {
  return asked === undefined ? before : asked === on;
}

export function toMetadataOptions(options: MetadataOptions = defaultMetadataOptions): InstanceMetadataOptionsResponse {
  const toggle = (isEnabled: boolean) => (isEnabled ? 'enabled' : 'disabled');
  return {
    State: 'applied',
    HttpTokens: options.requiresToken ? 'required' : 'optional',
    HttpPutResponseHopLimit: options.hopLimit,
    HttpEndpoint: toggle(options.isEnabled),
    HttpProtocolIpv6: 'disabled',
    InstanceMetadataTags: toggle(options.showsTags),
  };
}
