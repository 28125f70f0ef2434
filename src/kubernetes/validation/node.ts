/** Nodes: `pkg/apis/core/validation`, "ValidateNode", "ValidateNodeUpdate". */
import type { Node } from '../types.ts';
import { each, forbiddenField, messagesOf, unique, validatorOf, when } from './field.ts';
import { metadataErrors } from './metadata.ts';
import { cidr, dnsSubdomain } from './names.ts';
import { taintErrors } from './node-selector.ts';
import { resourceListErrors } from './quantities.ts';

export const validateNode = validatorOf<Node>((node, old) => {
  const { spec, status } = node;
  return [
    ...metadataErrors(node, old, { isNamespaced: false, name: dnsSubdomain }),
    ...taintErrors(spec?.taints, 'spec.taints'),
    ...each(spec?.podCIDRs, 'spec.podCIDRs', (range, path) => messagesOf(cidr(range), path, range)),
    ...resourceListErrors(status?.capacity, 'status.capacity'),
    ...resourceListErrors(status?.allocatable, 'status.allocatable'),
    ...unique(status?.addresses, 'status.addresses', ({ type, address }) => `${type}:${address}`),
    ...(old?.spec?.podCIDRs?.length
      ? when(JSON.stringify(spec?.podCIDRs) !== JSON.stringify(old.spec.podCIDRs), () =>
          forbiddenField('spec.podCIDRs', 'node updates may not change podCIDR except from "" to valid'),
        )
      : []),
    ...when(old?.spec?.providerID && spec?.providerID !== old.spec.providerID, () =>
      forbiddenField('spec.providerID', 'node updates may not change providerID except from "" to valid'),
    ),
  ];
});
