/** Keeps each volume's phase, and reclaims those whose claim is gone. Behaviour: kubernetes `pkg/controller/volume/persistentvolume`, "syncVolume". */
import { messageOf } from '#base';
import type { Informer } from '../../client/informer.ts';
import { keyOf } from '../../object.ts';
import { persistentVolumeClaims, persistentVolumes } from '../../resources.ts';
import { isStatusError } from '../../status.ts';
import type { PersistentVolume, PersistentVolumeClaim } from '../../types.ts';
import { type Controller, type ControllerParts, copyOf, type Step, wakes } from '../controller.ts';
import { changed, isDeleting, metaOf, nameOf } from '../meta.ts';
import { PROVISIONED_BY } from './claim-controller.ts';
import { BOUND_BY_CONTROLLER } from './matching.ts';
import type { VolumeProvisioner } from './provisioner.ts';

const NAME = 'persistentvolume-controller';
type Phase = 'Available' | 'Bound' | 'Released' | 'Failed';

export function volumeController(parts: ControllerParts, provisioners: readonly VolumeProvisioner[]): Controller {
  const volumes = parts.informers.of(persistentVolumes);
  const claims = parts.informers.of(persistentVolumeClaims);
  return {
    name: 'persistentvolume-reclaimer',
    wokenBy: [
      wakes(volumes, ({ now }) => (now ? [keyOf(now)] : [])),
      wakes(claims, ({ now, before }) => {
        const key = keyOf((now ?? before)!);
        if (now) return now.spec?.volumeName ? [now.spec.volumeName] : [];
        return volumes.list().flatMap((volume) => (claimKeyOf(volume) === key ? [metaOf(volume).name] : []));
      }),
    ],
    reads: [copyOf(persistentVolumes, volumes), copyOf(persistentVolumeClaims, claims)],
    async reconcile(name, step) {
      const volume = volumes.get(name);
      if (!volume || isDeleting(volume)) return;
      await look(volume, { parts, claims, provisioners, step });
    },
  };
}

function claimKeyOf({ spec }: PersistentVolume): string | undefined {
  return spec?.claimRef && `${spec.claimRef.namespace}/${spec.claimRef.name}`;
}

interface Look {
  readonly parts: ControllerParts;
  readonly claims: Informer<PersistentVolumeClaim>;
  readonly provisioners: readonly VolumeProvisioner[];
  readonly step: Step;
}

async function look(volume: PersistentVolume, look: Look): Promise<void> {
  const reference = volume.spec?.claimRef;
  // Free, or promised by hand to a name that the claim will come under.
  if (!reference?.uid) return setPhase(volume, 'Available', look);
  const claim = look.claims.get(claimKeyOf(volume)!) ?? (await findClaim(volume, look.step));
  if (!claim || metaOf(claim).uid !== reference.uid) return reclaim(volume, look);
  const wanted = claim.spec?.volumeName;
  // Its claim is about to say so.
  if (!wanted) return undefined;
  if (wanted === metaOf(volume).name) return setPhase(volume, 'Bound', look);
  const isMade = volume.metadata?.annotations?.[PROVISIONED_BY] !== undefined;
  if (isMade) return reclaim(volume, look);
  if (volume.metadata?.annotations?.[BOUND_BY_CONTROLLER] === undefined) return undefined;
  const free = { metadata: { annotations: { [BOUND_BY_CONTROLLER]: null } }, spec: { claimRef: null } };
  await look.step.api.update(persistentVolumes, changed(volume, free));
  return undefined;
}

async function findClaim({ spec }: PersistentVolume, { api }: Step): Promise<PersistentVolumeClaim | undefined> {
  try {
    // What is reclaimed is lost: the copy alone is not trusted.
    return await api.get(persistentVolumeClaims, { namespace: spec!.claimRef!.namespace, name: spec!.claimRef!.name! });
  } catch (error) {
    if (isStatusError(error, 'NotFound')) return undefined;
    throw error;
  }
}

async function reclaim(volume: PersistentVolume, look: Look): Promise<void> {
  const { parts, provisioners, step } = look;
  const policy = volume.spec?.persistentVolumeReclaimPolicy ?? 'Retain';
  await setPhase(volume, policy === 'Recycle' ? 'Failed' : 'Released', look);
  const maker = volume.metadata?.annotations?.[PROVISIONED_BY];
  const provisioner = provisioners.find(({ name }) => name === maker);
  if (policy !== 'Delete' || (maker !== undefined && !provisioner)) return;
  const tell = (message: string) =>
    parts.events.as(NAME).record(persistentVolumes, volume, { type: 'Warning', reason: 'VolumeFailedDelete', message });
  if (!provisioner) return tell('error getting deleter volume plugin for volume: no volume plugin matched');
  try {
    await provisioner.remove(volume, step.signal);
  } catch (error) {
    tell(messageOf(error));
    throw error;
  }
  await step.api.delete(persistentVolumes, nameOf(volume)).catch((error: unknown) => {
    if (!isStatusError(error, 'NotFound')) throw error;
  });
}

async function setPhase(volume: PersistentVolume, phase: Phase, { step: { api } }: Look): Promise<void> {
  if (volume.status?.phase === phase) return;
  await api.update(persistentVolumes, { ...volume, status: { phase } }, { subresource: 'status' });
}
