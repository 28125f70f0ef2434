/** Makes the claims of pods that bring their own. Behaviour: kubernetes `pkg/controller/volume/ephemeral`. */
import { messageOf } from '#base';
import { keyOf } from '../../object.ts';
import { persistentVolumeClaims, pods } from '../../resources.ts';
import { isStatusError } from '../../status.ts';
import { type Controller, type ControllerParts, copyOf, wakes } from '../controller.ts';
import { podsIn } from '../indexes.ts';
import { isDeleting, metaOf } from '../meta.ts';
import { controllerReference } from '../ownership.ts';
import { isFinished } from '../pods.ts';

const NAME = 'ephemeral-volume-controller';

export function ephemeralVolumeController(parts: ControllerParts): Controller {
  const podCopy = podsIn(parts.informers);
  const claims = parts.informers.of(persistentVolumeClaims);
  return {
    name: NAME,
    wokenBy: [
      wakes(podCopy, ({ now }) => (now?.spec?.volumes?.some(({ ephemeral }) => ephemeral) ? [keyOf(now)] : [])),
    ],
    reads: [copyOf(persistentVolumeClaims, claims)],
    async reconcile(key, { api }) {
      const pod = podCopy.get(key);
      if (!pod || isDeleting(pod) || isFinished(pod)) return;
      const { namespace, name: podName } = metaOf(pod);
      for (const { name, ephemeral } of pod.spec?.volumes ?? []) {
        const claimName = `${podName}-${name}`;
        const template = ephemeral?.volumeClaimTemplate;
        if (!template || claims.get(`${namespace}/${claimName}`)) continue;
        const { labels, annotations } = template.metadata ?? {};
        try {
          await api.create(persistentVolumeClaims, {
            metadata: {
              ...(namespace && { namespace }),
              name: claimName,
              ...(labels && { labels }),
              ...(annotations && { annotations }),
              ownerReferences: [controllerReference(pods, pod)],
            },
            spec: template.spec,
          });
        } catch (error) {
          if (isStatusError(error, 'AlreadyExists')) continue;
          const message = `ephemeral volume ${name}: create PVC ${claimName}: ${messageOf(error)}`;
          parts.events.as(NAME).record(pods, pod, { type: 'Warning', reason: 'EphemeralVolumeFailed', message });
          throw error;
        }
      }
    },
  };
}
