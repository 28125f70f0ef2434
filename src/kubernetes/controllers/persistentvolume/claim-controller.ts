/** Finds each claim a volume, or has one made. Behaviour: kubernetes `pkg/controller/volume/persistentvolume`, "syncClaim". */
import { messageOf } from '#base';
import type { Informer } from '../../client/informer.ts';
import { keyOf } from '../../object.ts';
import { compareQuantities } from '../../quantity.ts';
import { nodes, persistentVolumeClaims, persistentVolumes, storageClasses } from '../../resources.ts';
import { isStatusError } from '../../status.ts';
import type { Node, PersistentVolume, PersistentVolumeClaim, StorageClass } from '../../types.ts';
import { type Controller, type ControllerParts, copyOf, type Step, wakes } from '../controller.ts';
import { changed, isDeleting, metaOf } from '../meta.ts';
import { bind } from './binding.ts';
import {
  classNameOf,
  findVolume,
  isBound,
  isPromisedTo,
  NO_PROVISIONER,
  SELECTED_NODE,
  waitsForConsumer,
} from './matching.ts';
import { type VolumeProvisioner, volumeNameOf } from './provisioner.ts';

const NAME = 'persistentvolume-controller';
export const PROVISIONED_BY = 'pv.kubernetes.io/provisioned-by';
const PROVISIONER = 'volume.kubernetes.io/storage-provisioner';

export function claimController(parts: ControllerParts, provisioners: readonly VolumeProvisioner[]): Controller {
  const claims = parts.informers.of(persistentVolumeClaims);
  const volumes = parts.informers.of(persistentVolumes);
  const classes = parts.informers.of(storageClasses);
  const waiting = () =>
    claims
      .list()
      .filter((claim) => !isBound(claim))
      .map(keyOf);
  const binder = new Binder({ parts, volumes, classes, nodes: parts.informers.of(nodes), provisioners });
  return {
    name: NAME,
    wokenBy: [
      wakes(claims, ({ now }) => (now ? [keyOf(now)] : [])),
      // A volume that comes free may be what somebody waits for; a change of a bound one is its claim's matter.
      wakes(volumes, ({ now, before }) => {
        const reference = (now ?? before)!.spec?.claimRef;
        return reference ? [`${reference.namespace}/${reference.name}`] : now ? waiting() : [];
      }),
      wakes(classes, ({ now }) => (now ? waiting() : [])),
    ],
    reads: [copyOf(persistentVolumeClaims, claims), copyOf(persistentVolumes, volumes)],
    // One at a time: two claims must not choose the same volume.
    concurrency: 1,
    async reconcile(key, step) {
      const claim = claims.get(key);
      if (!claim) return;
      if (isBound(claim)) await binder.keep(claim, step);
      else if (!isDeleting(claim)) await binder.find(claim, step);
    },
  };
}

interface BinderInput {
  readonly parts: ControllerParts;
  readonly volumes: Informer<PersistentVolume>;
  readonly classes: Informer<StorageClass>;
  readonly nodes: Informer<Node>;
  readonly provisioners: readonly VolumeProvisioner[];
}

class Binder {
  readonly #input: BinderInput;

  constructor(input: BinderInput) {
    this.#input = input;
  }

  /** A bound claim: tells when its volume is lost, and follows when it grows. */
  async keep(claim: PersistentVolumeClaim, step: Step): Promise<void> {
    const volume = this.#input.volumes.get(claim.spec!.volumeName!);
    const reference = volume?.spec?.claimRef;
    if (!volume || (reference && !isPromisedTo(volume, claim))) return this.#lose(claim, volume, step);
    await bind(claim, await this.#grow(claim, volume, step), step);
  }

  async find(claim: PersistentVolumeClaim, step: Step): Promise<void> {
    const { volumes, classes } = this.#input;
    const wanted = claim.spec?.volumeName;
    if (wanted) {
      const volume = volumes.get(wanted);
      if (volume && (!volume.spec?.claimRef || isPromisedTo(volume, claim))) return bind(claim, volume, step);
      return this.#pend(claim, step);
    }
    const storageClass = classes.get(classNameOf(claim));
    const selected = claim.metadata?.annotations?.[SELECTED_NODE];
    if (waitsForConsumer(storageClass) && selected === undefined) {
      const promised = volumes.list().find((volume) => isPromisedTo(volume, claim));
      if (promised) return bind(claim, promised, step);
      this.#tell(claim, 'Normal', 'WaitForFirstConsumer', 'waiting for first consumer to be created before binding');
      return this.#pend(claim, step);
    }
    const node = selected === undefined ? undefined : this.#input.nodes.get(selected);
    const volume = findVolume(claim, volumes.list(), node);
    if (volume) return bind(claim, volume, step);
    await this.#pend(claim, step);
    if (storageClass) return this.#provision(claim, storageClass, { node, step });
    this.#tell(
      claim,
      'Normal',
      'FailedBinding',
      'no persistent volumes available for this claim and no storage class is set',
    );
  }

  async #provision(
    claim: PersistentVolumeClaim,
    storageClass: StorageClass,
    { node, step }: { readonly node: Node | undefined; readonly step: Step },
  ): Promise<void> {
    const { provisioner: name } = storageClass;
    if (name === NO_PROVISIONER)
      return this.#tell(
        claim,
        'Normal',
        'FailedBinding',
        'no persistent volumes available for this claim and no storage class is set',
      );
    await this.#nameProvisioner(claim, name, step);
    const provisioner = this.#input.provisioners.find((each) => each.name === name);
    if (!provisioner)
      return this.#tell(
        claim,
        'Normal',
        'ExternalProvisioning',
        `Waiting for a volume to be created either by the external provisioner '${name}' or manually by the system administrator. If volume creation is delayed, please verify that the provisioner is running and correctly registered.`,
      );
    try {
      const source = await provisioner.provision({ claim, storageClass, node }, step.signal);
      const volume = volumeOf({ claim, storageClass, source });
      await step.api.create(persistentVolumes, volume);
      this.#tell(claim, 'Normal', 'ProvisioningSucceeded', `Successfully provisioned volume ${volume.metadata!.name}`);
    } catch (error) {
      if (isStatusError(error, 'AlreadyExists')) return;
      const message = `failed to provision volume with StorageClass "${metaOf(storageClass).name}": ${messageOf(error)}`;
      this.#tell(claim, 'Warning', 'ProvisioningFailed', message);
      throw error;
    }
  }

  /** Tells provisioners that run elsewhere which claims are theirs. */
  async #nameProvisioner(claim: PersistentVolumeClaim, name: string, { api }: Step): Promise<void> {
    if (claim.metadata?.annotations?.[PROVISIONER] === name) return;
    const annotations = { [PROVISIONER]: name, [`volume.beta.kubernetes.io/storage-provisioner`]: name };
    await api.update(persistentVolumeClaims, changed(claim, { metadata: { annotations } }));
  }

  /** More was asked for: our own volumes have no bounds to move. */
  async #grow(claim: PersistentVolumeClaim, volume: PersistentVolume, { api }: Step): Promise<PersistentVolume> {
    const wanted = claim.spec?.resources?.requests?.['storage'];
    const provisioner = volume.metadata?.annotations?.[PROVISIONED_BY];
    const isOurs = this.#input.provisioners.some(({ name }) => name === provisioner);
    const isEnough = !wanted || compareQuantities(volume.spec?.capacity?.['storage'] ?? '0', wanted) >= 0;
    if (isEnough || !isOurs || isDeleting(volume)) return volume;
    return api.update(persistentVolumes, changed(volume, { spec: { capacity: { storage: wanted } } }));
  }

  async #lose(claim: PersistentVolumeClaim, volume: PersistentVolume | undefined, { api }: Step): Promise<void> {
    if (claim.status?.phase === 'Lost') return;
    await api.update(
      persistentVolumeClaims,
      { ...claim, status: { ...claim.status, phase: 'Lost' } },
      { subresource: 'status' },
    );
    if (volume)
      this.#tell(
        claim,
        'Warning',
        'ClaimMisbound',
        'Two claims are bound to the same volume, this one is bound incorrectly',
      );
    else
      this.#tell(
        claim,
        'Warning',
        'ClaimLost',
        'Bound claim has lost its PersistentVolume. Data on the volume is lost!',
      );
  }

  async #pend(claim: PersistentVolumeClaim, { api }: Step): Promise<void> {
    if (claim.status?.phase === 'Pending') return;
    await api.update(
      persistentVolumeClaims,
      { ...claim, status: { ...claim.status, phase: 'Pending' } },
      { subresource: 'status' },
    );
  }

  #tell(claim: PersistentVolumeClaim, type: 'Normal' | 'Warning', reason: string, message: string): void {
    this.#input.parts.events.as(NAME).record(persistentVolumeClaims, claim, { type, reason, message });
  }
}

function volumeOf({
  claim,
  storageClass,
  source,
}: {
  readonly claim: PersistentVolumeClaim;
  readonly storageClass: StorageClass;
  readonly source: Awaited<ReturnType<VolumeProvisioner['provision']>>;
}): PersistentVolume {
  const { namespace, name, uid } = metaOf(claim);
  return {
    metadata: { name: volumeNameOf(claim), annotations: { [PROVISIONED_BY]: storageClass.provisioner } },
    spec: {
      capacity: { storage: claim.spec?.resources?.requests?.['storage'] ?? '0' },
      ...(claim.spec?.accessModes && { accessModes: claim.spec.accessModes }),
      volumeMode: claim.spec?.volumeMode ?? 'Filesystem',
      persistentVolumeReclaimPolicy: storageClass.reclaimPolicy ?? 'Delete',
      storageClassName: metaOf(storageClass).name,
      ...(storageClass.mountOptions && { mountOptions: storageClass.mountOptions }),
      claimRef: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', ...(namespace && { namespace }), name, uid },
      ...source,
    },
  };
}
