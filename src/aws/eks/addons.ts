import type { Addon, AddonInfo } from '@aws-sdk/client-eks';
import type { Versioned } from '#store';
import type { CallContext, Handlers } from '../service.ts';
import { findActiveCluster, findCluster } from './find-cluster.ts';
import { addonArn, idIn, inUse, invalidParameter, notFound, notSupported } from './names.ts';
import { pageOf } from './pages.ts';
import type { AddonRecord } from './records.ts';
import type { EksState } from './state.ts';
import { tagsOf } from './tags.ts';
import { newUpdate, toUpdate } from './updates.ts';

interface BuiltIn {
  readonly name: string;
  readonly type: string;
  readonly version: string;
  readonly namespace: string;
}

/**
 * The add-ons whose work the platform does itself, in every cluster and without pods: addresses of the VPC for pods, Service addresses, cluster DNS, roles for pods.
 * Adding one is therefore done at once. Any other is refused by name.
 */
const builtIns: readonly BuiltIn[] = [
  { name: 'coredns', type: 'networking', version: 'v1.12.3-eksbuild.1', namespace: 'kube-system' },
  { name: 'eks-pod-identity-agent', type: 'security', version: 'v1.3.8-eksbuild.2', namespace: 'kube-system' },
  { name: 'kube-proxy', type: 'networking', version: 'v1.34.0-eksbuild.2', namespace: 'kube-system' },
  { name: 'vpc-cni', type: 'networking', version: 'v1.20.3-eksbuild.1', namespace: 'kube-system' },
];

function builtIn(name: string): BuiltIn {
  const found = builtIns.find((known) => known.name === name);
  if (!found) throw notSupported(`The add-on ${name}`);
  return found;
}

function checkAddonVersion(known: BuiltIn, version: string | undefined): string {
  if (version !== undefined && version !== known.version)
    throw invalidParameter(`Addon version specified is not supported: ${known.name} is there as ${known.version}`);
  return known.version;
}

function refuseUnbuilt(input: {
  readonly configurationValues?: string | undefined;
  readonly podIdentityAssociations?: readonly unknown[] | undefined;
  readonly serviceAccountRoleArn?: string | undefined;
}): void {
  if (input.configurationValues && input.configurationValues !== '{}')
    throw notSupported('Configuration of a built-in add-on');
  if (input.podIdentityAssociations?.length || input.serviceAccountRoleArn)
    throw notSupported('A role of a built-in add-on');
}

function toAddon(record: AddonRecord, status: NonNullable<Addon['status']> = 'ACTIVE'): Addon {
  return {
    addonName: record.name,
    clusterName: record.cluster,
    status,
    addonVersion: record.version,
    health: { issues: [] },
    addonArn: addonArn(record, record.name, record.id),
    createdAt: new Date(record.createdAt),
    modifiedAt: new Date(record.modifiedAt),
    tags: { ...record.tags },
    namespaceConfig: { namespace: builtIn(record.name).namespace },
  };
}

function toInfo(known: BuiltIn): AddonInfo {
  return {
    addonName: known.name,
    type: known.type,
    publisher: 'eks',
    owner: 'aws',
    defaultNamespace: known.namespace,
    addonVersions: [
      {
        addonVersion: known.version,
        architecture: ['amd64', 'arm64'],
        computeTypes: ['ec2', 'fargate'],
        compatibilities: ['1.34', '1.33', '1.32'].map((clusterVersion) => ({
          clusterVersion,
          platformVersions: ['*'],
          defaultVersion: true,
        })),
        requiresConfiguration: false,
        requiresIamPermissions: false,
      },
    ],
  };
}

export function addonHandlers(state: EksState) {
  const { addons } = state;

  async function find(
    context: CallContext,
    input: { readonly clusterName?: string | undefined; readonly addonName?: string | undefined },
  ): Promise<Versioned<AddonRecord>> {
    const { value: cluster } = await findCluster(state, context, input.clusterName);
    const seen = await addons.get(idIn({ ...cluster, cluster: cluster.name }, input.addonName ?? ''));
    if (!seen) throw notFound(`No addon: ${input.addonName} found in cluster: ${input.clusterName}`);
    return seen;
  }

  return {
    async CreateAddon(input, context) {
      const { value: cluster } = await findActiveCluster(state, context, input.clusterName);
      const known = builtIn(input.addonName!);
      const version = checkAddonVersion(known, input.addonVersion);
      refuseUnbuilt(input);
      if (input.namespaceConfig?.namespace && input.namespaceConfig.namespace !== known.namespace)
        throw notSupported('A namespace of its own for a built-in add-on');
      const now = state.clock.now();
      const record: AddonRecord = {
        account: cluster.account,
        region: cluster.region,
        cluster: cluster.name,
        name: known.name,
        id: state.random.uuid(),
        version,
        tags: tagsOf(input.tags),
        createdAt: now,
        modifiedAt: now,
      };
      const id = idIn(record, record.name);
      const output = { addon: toAddon(record) };
      const { succeeded } = await state.store.txn({
        compare: [addons.ifAbsent(id)],
        success: [addons.put(id, record), ...context.remember(output)],
      });
      if (!succeeded) throw inUse(`Addon already exists.`);
      return output;
    },

    async DescribeAddon(input, context) {
      return { addon: toAddon((await find(context, input)).value) };
    },

    async ListAddons(input, context) {
      const { value: cluster } = await findCluster(state, context, input.clusterName);
      const all = await addons.list(idIn({ ...cluster, cluster: cluster.name }, ''));
      const { items, nextToken } = pageOf(
        all.map(({ value }) => value.name),
        (name) => name,
        input,
      );
      return { addons: items, nextToken };
    },

    async UpdateAddon(input, context) {
      const { value, id } = await find(context, input);
      const version = checkAddonVersion(builtIn(value.name), input.addonVersion ?? value.version);
      refuseUnbuilt(input);
      const { account, region, cluster, name: addon } = value;
      const params = { AddonVersion: version, ResolveConflicts: input.resolveConflicts };
      const { record } = newUpdate(state, { account, region, cluster, addon, type: 'AddonUpdate', params });
      // There is no other version to go to, so it is done as soon as it is asked for.
      const update = { ...record, status: 'Successful' as const };
      const output = { update: toUpdate(update) };
      await state.store.txn({
        success: [
          state.updates.put(idIn(update, update.id), update),
          addons.put(id, { ...value, modifiedAt: state.clock.now() }),
          ...context.remember(output),
        ],
      });
      return output;
    },

    /** The record goes; what the platform does stays, as it does for a self-managed add-on. */
    async DeleteAddon(input, context) {
      const seen = await find(context, input);
      if (!input.preserve) throw notSupported(`Taking ${seen.value.name} out of a cluster (without --preserve)`);
      await addons.delete(seen.id);
      return { addon: toAddon(seen.value, 'DELETING') };
    },

    DescribeAddonVersions(input) {
      const rows = builtIns
        .filter(({ name }) => !input.addonName || name === input.addonName)
        .filter(({ type }) => !input.types?.length || input.types.includes(type))
        .map(toInfo)
        .filter(({ publisher }) => !input.publishers?.length || input.publishers.includes(publisher!))
        .filter(({ owner }) => !input.owners?.length || input.owners.includes(owner!));
      const { items, nextToken } = pageOf(rows, ({ addonName }) => addonName!, input);
      return { addons: items, nextToken };
    },

    DescribeAddonConfiguration(input) {
      const known = builtIn(input.addonName!);
      const addonVersion = checkAddonVersion(known, input.addonVersion);
      const configurationSchema = JSON.stringify({
        $schema: 'http://json-schema.org/draft-07/schema#',
        type: 'object',
        additionalProperties: false,
        properties: {},
      });
      return { addonName: known.name, addonVersion, configurationSchema, podIdentityConfiguration: [] };
    },
  } satisfies Handlers<typeof import('@aws-sdk/client-eks')>;
}
