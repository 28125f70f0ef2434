/** Mutating and validating webhooks: admission by servers that the cluster's users run. Kubernetes documentation, "Dynamic Admission Control". */
import { messageOf } from '#base';
import type { AdmissionPlugin, AdmissionRequest } from '../../auth/user.ts';
import { CelError, compileCel } from '../../cel/cel.ts';
import { jsonPatch } from '../../merge/json-patch.ts';
import { apiVersionOf, type KubernetesObject } from '../../object.ts';
import { mutatingWebhookConfigurations, namespaces, validatingWebhookConfigurations } from '../../resources.ts';
import { celValue } from '../../schema/structural/cel-values.ts';
import { StatusError, statusErrorOf } from '../../status.ts';
import type { MutatingWebhookConfiguration, Namespace } from '../../types.ts';
import { isExempt, isSelected, matchesRule } from '../matching.ts';
import { reader, type AdmissionParts } from '../plugin.ts';
import { describeRequest, policyVariables } from '../policies/program.ts';
import { callWebhook, type DialService, type WebhookAnswer } from './call.ts';

export interface WebhookParts extends Pick<AdmissionParts, 'informers' | 'random'> {
  readonly dialService: DialService;
}

type Webhook = NonNullable<MutatingWebhookConfiguration['webhooks']>[number];
type Configuration = KubernetesObject & { readonly webhooks?: readonly Webhook[] };

const defaultTimeoutSeconds = 10;

export function mutatingWebhooks(parts: WebhookParts): AdmissionPlugin {
  const configurations = reader(parts.informers.of(mutatingWebhookConfigurations));
  const homes = reader(parts.informers.of(namespaces));
  return {
    name: 'MutatingAdmissionWebhook',
    isForeign: true,
    async mutate(request) {
      const hooks = inOrder((await configurations()).list());
      if (hooks.length === 0 || isExempt(request)) return request.object!;
      const home = await homeOf(homes, request);
      let object = request.object!;
      /** The object as each webhook that wants to be asked again last saw it. */
      const seen = new Map<Webhook, KubernetesObject>();
      const ask = async (hook: Webhook) => {
        const answer = await decide(parts, hook, { ...request, object }, home);
        if (answer) object = patched(hook, answer, object);
        if (answer && hook.reinvocationPolicy === 'IfNeeded') seen.set(hook, object);
      };
      for (const hook of hooks) await ask(hook);
      // Once more for those behind whom somebody changed the object.
      for (const [hook, last] of seen) if (last !== object) await ask(hook);
      return object;
    },
  };
}

export function validatingWebhooks(parts: WebhookParts): AdmissionPlugin {
  const configurations = reader(parts.informers.of(validatingWebhookConfigurations));
  const homes = reader(parts.informers.of(namespaces));
  return {
    name: 'ValidatingAdmissionWebhook',
    async validate(request) {
      const hooks = inOrder((await configurations()).list());
      if (hooks.length === 0 || isExempt(request)) return [];
      const home = await homeOf(homes, request);
      const answers = await Promise.all(hooks.map((hook) => decide(parts, hook, request, home)));
      return answers.flatMap((answer) => answer?.warnings ?? []);
    },
  };
}

/** By the name of the configuration, then as they stand in it. */
function inOrder(configurations: readonly Configuration[]): readonly Webhook[] {
  return configurations
    .toSorted((a, b) => (a.metadata!.name! < b.metadata!.name! ? -1 : 1))
    .flatMap(({ webhooks }) => webhooks ?? []);
}

async function homeOf(
  homes: () => Promise<{ get(key: string): Namespace | undefined }>,
  { namespace }: AdmissionRequest,
) {
  return namespace ? (await homes()).get(namespace) : undefined;
}

/** Asks one webhook if the request is its; undefined when it is not, or when it failed and may. Throws what refuses the request. */
async function decide(
  { random, dialService }: WebhookParts,
  hook: Webhook,
  request: AdmissionRequest,
  home: Namespace | undefined,
): Promise<WebhookAnswer | undefined> {
  if (!hook.rules?.some((rule) => matchesRule(rule, request)) || !isSelected(hook, request, home)) return undefined;
  let answer: WebhookAnswer;
  try {
    if (!meetsConditions(hook, request, home)) return undefined;
    refuseSideEffects(hook, request);
    answer = await callWebhook({
      config: hook.clientConfig,
      review: reviewOf(request, random.uuid()),
      version: hook.admissionReviewVersions?.find((version) => version === 'v1' || version === 'v1beta1') ?? 'v1',
      timeoutMs: (hook.timeoutSeconds ?? defaultTimeoutSeconds) * 1000,
      dial: dialService,
    });
  } catch (error) {
    if (error instanceof StatusError) throw error;
    if (hook.failurePolicy === 'Ignore') return undefined;
    throw new StatusError(
      'InternalError',
      `Internal error occurred: failed calling webhook "${hook.name}": ${messageOf(error)}`,
      {
        cause: error,
      },
    );
  }
  if (!answer.allowed) throw refused(hook, answer);
  return answer;
}

/** A dry run must leave no trace anywhere. */
function refuseSideEffects({ name, sideEffects }: Webhook, { isDryRun }: AdmissionRequest): void {
  if (isDryRun && sideEffects !== 'None' && sideEffects !== 'NoneOnDryRun')
    throw new StatusError('BadRequest', `admission webhook "${name}" does not support dry run`);
}

function meetsConditions(
  { matchConditions }: Webhook,
  request: AdmissionRequest,
  home: Namespace | undefined,
): boolean {
  if (!matchConditions?.length) return true;
  const values = {
    object: celValue(request.object ?? null, undefined),
    oldObject: celValue(request.oldObject ?? null, undefined),
    request: celValue(describeRequest(request), undefined),
    params: null,
    namespaceObject: celValue(home ?? null, undefined),
    variables: {},
  };
  return matchConditions.every(({ name, expression }) => {
    try {
      return compileCel(expression, policyVariables).evaluate(values) === true;
    } catch (error) {
      if (error instanceof CelError) throw new Error(`match condition ${name}: ${error.message}`, { cause: error });
      throw error;
    }
  });
}

/** The request of a review: objects with their kind, as they would be seen on the wire. */
function reviewOf(request: AdmissionRequest, uid: string) {
  const { type, object, oldObject, operation } = request;
  const seen = (one: KubernetesObject | undefined) =>
    one ? { apiVersion: apiVersionOf(type), kind: type.kind, ...one } : null;
  const option = { CREATE: 'CreateOptions', UPDATE: 'UpdateOptions', DELETE: 'DeleteOptions', CONNECT: undefined }[
    operation
  ];
  return {
    uid,
    ...describeRequest(request),
    object: seen(object),
    oldObject: seen(oldObject),
    options: option ? { apiVersion: 'meta.k8s.io/v1', kind: option } : null,
  };
}

function patched(hook: Webhook, { patch, patchType }: WebhookAnswer, object: KubernetesObject): KubernetesObject {
  if (!patch) return object;
  if (patchType !== 'JSONPatch')
    throw new StatusError(
      'InternalError',
      `Internal error occurred: webhook "${hook.name}" returned unsupported patch type "${patchType ?? ''}"`,
    );
  try {
    const operations: unknown = JSON.parse(Buffer.from(patch, 'base64').toString());
    // A patched object is an object again: what a webhook made of it, validation reads next.
    return jsonPatch(object, operations) as KubernetesObject;
  } catch (error) {
    throw new StatusError(
      'InternalError',
      `Internal error occurred: webhook "${hook.name}" returned a patch that does not apply: ${messageOf(error)}`,
      { cause: error },
    );
  }
}

/** The webhook's own code and reason, if it gave some; otherwise a refusal. */
function refused({ name }: Webhook, { status }: WebhookAnswer): StatusError {
  const why = status?.message ?? status?.reason;
  const message = `admission webhook "${name}" denied the request${why ? `: ${why}` : ' without explanation'}`;
  const code = status?.code && status.code >= 400 && status.code < 600 ? status.code : 403;
  return statusErrorOf(code, { message, ...(status?.reason && status.message && { reason: status.reason }) });
}
