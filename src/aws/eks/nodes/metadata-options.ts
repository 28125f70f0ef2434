import type { MetadataOptions } from '../../ec2/index.ts';

/** Pods do not see the instance under them, nor its role: Amazon EKS User Guide, "Upgrade from Amazon Linux 2 to Amazon Linux 2023". */
export const nodeMetadataOptions: MetadataOptions = {
  isEnabled: true,
  requiresToken: true,
  hopLimit: 1,
  showsTags: false,
};
