/** Objects between the versions of a custom resource, by the webhook of its definition. Source: apiextensions `apiserver/conversion/webhook_converter.go`. */
import type { Random } from '#base';
import { messageOf } from '#base';
import { type DialService, postToWebhook } from '../../admission/webhooks/call.ts';
import type { KubernetesObject } from '../../object.ts';
import { StatusError } from '../../status.ts';
import type { CustomResourceDefinition } from '../../types.ts';
import type { Conversion } from '../resource.ts';

export interface ConversionParts {
  readonly dialService: DialService;
  readonly random: Random;
}

const TIMEOUT_MS = 30_000;

/** Undefined when objects differ by their `apiVersion` alone. */
export function conversionOf(
  { conversion, group, names }: CustomResourceDefinition['spec'],
  parts: ConversionParts,
): Conversion | undefined {
  const { clientConfig, conversionReviewVersions = ['v1'] } = conversion?.webhook ?? {};
  if (conversion?.strategy !== 'Webhook' || !clientConfig) return undefined;
  const version = conversionReviewVersions.find((known) => known === 'v1' || known === 'v1beta1') ?? 'v1';
  return async (objects, desiredAPIVersion) => {
    const uid = parts.random.uuid();
    const request = { uid, desiredAPIVersion, objects };
    const review = { apiVersion: `apiextensions.k8s.io/${version}`, kind: 'ConversionReview', request };
    try {
      const text = await postToWebhook({
        config: clientConfig,
        body: JSON.stringify(review),
        timeoutMs: TIMEOUT_MS,
        dial: parts.dialService,
      });
      return convertedIn(text, { uid, objects, desiredAPIVersion });
    } catch (error) {
      const message = `conversion webhook for ${group}/${desiredAPIVersion.split('/').at(-1)}, Kind=${names.kind} failed: ${messageOf(error)}`;
      throw new StatusError('InternalError', `Internal error occurred: ${message}`, { cause: error });
    }
  };
}

interface Asked {
  readonly uid: string;
  readonly objects: readonly KubernetesObject[];
  readonly desiredAPIVersion: string;
}

interface Answer {
  readonly uid?: unknown;
  readonly result?: { readonly status?: unknown; readonly message?: unknown };
  readonly convertedObjects?: unknown;
}

/** What the webhook answers is anybody's word: it is taken only as far as it is what was asked for. */
function convertedIn(text: string, { uid, objects, desiredAPIVersion }: Asked): readonly KubernetesObject[] {
  const review = JSON.parse(text) as { readonly response?: Answer } | null;
  const { uid: answered, result, convertedObjects } = review?.response ?? {};
  if (answered !== uid)
    throw new Error(`expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(answered)}`);
  if (result?.status !== 'Success')
    throw new Error(typeof result?.message === 'string' ? result.message : 'no reason was given');
  if (!Array.isArray(convertedObjects) || convertedObjects.length !== objects.length)
    throw new Error(`webhook returned ${lengthOf(convertedObjects)} objects, expected ${objects.length}`);
  return objects.map((object, index) => checked(object, convertedObjects[index], desiredAPIVersion));
}

function lengthOf(list: unknown): number {
  return Array.isArray(list) ? list.length : 0;
}

/** Of metadata a webhook may change labels and annotations, and nothing else. */
function checked(before: KubernetesObject, value: unknown, apiVersion: string): KubernetesObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Error('webhook returned what is no object');
  const converted = value as KubernetesObject;
  if (converted.apiVersion !== apiVersion)
    throw new Error(`webhook returned an object of ${JSON.stringify(converted.apiVersion)}, expected ${apiVersion}`);
  if (converted.kind !== before.kind)
    throw new Error(
      `webhook returned an object of the kind ${JSON.stringify(converted.kind)}, expected ${before.kind}`,
    );
  const { metadata } = converted;
  const { name, namespace, uid } = before.metadata ?? {};
  if (
    typeof metadata !== 'object' ||
    metadata === null ||
    metadata.name !== name ||
    metadata.namespace !== namespace ||
    metadata.uid !== uid
  )
    throw new Error('webhook returned an object with other metadata');
  const { labels: _labels, annotations: _annotations, ...kept } = before.metadata ?? {};
  const { labels, annotations } = metadata;
  return { ...converted, metadata: { ...kept, ...(labels && { labels }), ...(annotations && { annotations }) } };
}
