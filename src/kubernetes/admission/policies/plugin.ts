/** Validating admission policies: rules in CEL that a cluster's owner writes, bound to what they are about. Kubernetes documentation, "Validating Admission Policy". */
import type { AdmissionPlugin, AdmissionRequest } from '../../auth/user.ts';
import { CelError } from '../../cel/cel.ts';
import type { ApiClient } from '../../client/client.ts';
import type { ServedResources } from '../../client/served-resources.ts';
import type { KubernetesObject } from '../../object.ts';
import { namespaces, validatingAdmissionPolicies, validatingAdmissionPolicyBindings } from '../../resources.ts';
import { formatLabelSelector, labelSelectorOf } from '../../selector.ts';
import { isStatusError, StatusError, type StatusReason } from '../../status.ts';
import type { Namespace, ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding } from '../../types.ts';
import { isExempt, matchesResources } from '../matching.ts';
import { reader, refusal, type AdmissionParts } from '../plugin.ts';
import { compilePolicy, type Denial, type PolicyProgram } from './program.ts';

export interface PolicyPluginParts extends Pick<AdmissionParts, 'client' | 'informers'> {
  /** Finds the resources of parameters. */
  readonly resources: () => ServedResources;
}

const reasons = new Set<string>([
  'Forbidden',
  'Invalid',
  'RequestEntityTooLarge',
  'Unauthorized',
] satisfies StatusReason[]);

export function validatingAdmissionPolicy({ client, informers, resources }: PolicyPluginParts): AdmissionPlugin {
  const policies = reader(informers.of(validatingAdmissionPolicies));
  const bindings = reader(
    informers.of(validatingAdmissionPolicyBindings, { indexes: { policy: ({ spec }) => [spec?.policyName ?? ''] } }),
  );
  const homes = reader(informers.of(namespaces));
  // Objects of copies are frozen, so what was compiled of one is good as long as it lives.
  const programs = new WeakMap<ValidatingAdmissionPolicy, PolicyProgram>();

  return {
    name: 'ValidatingAdmissionPolicy',
    async validate(request) {
      if (isExempt(request)) return [];
      const all = (await policies()).list();
      if (all.length === 0) return [];
      const home = request.namespace ? (await homes()).get(request.namespace) : undefined;
      const warnings: string[] = [];
      for (const policy of all) {
        if (!policy.spec || !matchesResources(policy.spec.matchConstraints ?? {}, request, home)) continue;
        for (const binding of (await bindings()).by('policy', policy.metadata!.name!))
          if (matchesResources(binding.spec?.matchResources, request, home))
            warnings.push(...(await enforce({ policy, binding, request, home })));
      }
      return warnings;
    },
  };

  interface Enforcement {
    readonly policy: ValidatingAdmissionPolicy;
    readonly binding: ValidatingAdmissionPolicyBinding;
    readonly request: AdmissionRequest;
    readonly home: Namespace | undefined;
  }

  async function enforce({ policy, binding, request, home }: Enforcement): Promise<readonly string[]> {
    const denials = await denialsOf({ policy, binding, request, home });
    const actions = binding.spec?.validationActions ?? [];
    const who = `ValidatingAdmissionPolicy '${policy.metadata!.name}' with binding '${binding.metadata!.name}'`;
    if (denials.length > 0 && actions.includes('Deny')) throw denied(request, who, denials[0]!);
    return actions.includes('Warn') ? denials.map(({ message }) => `Validation failed for ${who}: ${message}`) : [];
  }

  async function denialsOf({ policy, binding, request, home }: Enforcement): Promise<readonly Denial[]> {
    try {
      const program = programs.get(policy) ?? compilePolicy(policy.spec!);
      programs.set(policy, program);
      const all = policy.spec?.paramKind ? await paramsOf(policy, binding, request) : [undefined];
      if (all.length === 0 && binding.spec?.paramRef?.parameterNotFoundAction !== 'Allow')
        return [
          {
            message:
              'failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction',
            reason: 'Invalid',
          },
        ];
      return all.flatMap((params) => program.evaluate({ request, params, home }));
    } catch (error) {
      if (!(error instanceof CelError)) throw error;
      return policy.spec?.failurePolicy === 'Ignore' ? [] : [{ message: error.message, reason: 'Invalid' }];
    }
  }

  /** The objects a binding names; those of a namespaced kind are in its own namespace, or in that of the request. */
  async function paramsOf(
    { spec }: ValidatingAdmissionPolicy,
    binding: ValidatingAdmissionPolicyBinding,
    request: AdmissionRequest,
  ): Promise<readonly KubernetesObject[]> {
    const { apiVersion = '', kind = '' } = spec!.paramKind!;
    const { paramRef } = binding.spec ?? {};
    const type = resources().ofKind(apiVersion, kind);
    if (!type) throw new CelError(`failed to find resource referenced by paramKind: '${apiVersion}, Kind=${kind}'`);
    if (!paramRef) return [];
    const namespace = type.isNamespaced ? (paramRef.namespace ?? request.namespace) : undefined;
    if (paramRef.name) return found(client, type, { namespace, name: paramRef.name });
    const labelSelector = formatLabelSelector(labelSelectorOf(paramRef.selector ?? {}));
    return (await client.list(type, { labelSelector, ...(namespace && { namespace }) })).items;
  }
}

async function found(
  client: Pick<ApiClient, 'get'>,
  ...[type, name]: Parameters<ApiClient['get']>
): Promise<readonly KubernetesObject[]> {
  try {
    return [await client.get(type, name)];
  } catch (error) {
    if (isStatusError(error, 'NotFound')) return [];
    throw error;
  }
}

/** Told as a refusal of admission, under the reason that the rule chose. */
function denied(request: AdmissionRequest, who: string, { message, reason = 'Invalid' }: Denial): StatusError {
  const { message: text, details } = refusal(request, `${who} denied request: ${message}`);
  const known = reasons.has(reason) ? (reason as StatusReason) : 'Invalid';
  return new StatusError(known, text, {
    details: { ...details, causes: [{ message: `${who} denied request: ${message}` }] },
  });
}
