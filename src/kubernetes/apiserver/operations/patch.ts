import { isoSeconds } from '#base';
import type { Patch } from '../../client/client.ts';
import type { KubernetesObject } from '../../object.ts';
import { isObject } from '../../schema/json.ts';
import { StatusError } from '../../status.ts';
import { type ApiParts, type NamedCall, schemaOf } from '../parts.ts';
import { versionsOf } from './managers.ts';
import { type Change, namesVersion } from './update.ts';

/** What decoding a patched object found wrong is told, or refused, as the client wishes. */
export interface PatchOptions {
  readonly isForced: boolean;
  /** Reads the outcome of a patch as if a client had sent it. */
  readonly check: (outcome: unknown) => KubernetesObject;
}

/** The change that a patch makes. Throws `UnsupportedMediaType` for a strategic patch of a kind without one, `BadRequest` and `Invalid` for patches that do not fit. */
export function changeOf(parts: ApiParts, call: NamedCall, patch: Patch, { isForced, check }: PatchOptions): Change {
  if (patch.kind === 'apply') return applied(parts, call, patch.body, { isForced, check });
  return {
    mayCreate: false,
    isPinned: patch.kind === 'json' ? patch.body.some(namesVersionPath) : namesVersion(patch.body),
    next: (live) => check(patched(parts, call, live!, patch)),
  };
}

/** An operation of a JSON patch on the version itself. What a client sent as an operation may be anything. */
function namesVersionPath(operation: unknown): boolean {
  return isObject(operation) && operation['path'] === '/metadata/resourceVersion';
}

function patched(
  { merge, schemas }: ApiParts,
  call: NamedCall,
  live: KubernetesObject,
  patch: Exclude<Patch, { kind: 'apply' }>,
): unknown {
  if (patch.kind === 'json') return merge.jsonPatch(live, patch.body);
  if (patch.kind === 'merge') return merge.mergePatch(live, patch.body);
  const schema = bodySchema({ schemas }, call);
  if (!schema || call.version.schema)
    throw new StatusError(
      'UnsupportedMediaType',
      'the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml',
    );
  return merge.strategicPatch(schema, live, patch.body);
}

/** The schema of the body of a call: the object's, or a scale's. */
export function bodySchema(parts: Pick<ApiParts, 'schemas'>, call: NamedCall) {
  return call.subresource === 'scale'
    ? parts.schemas.of({ group: 'autoscaling', version: 'v1', kind: 'Scale' })
    : schemaOf(parts, call);
}

function applied(parts: ApiParts, call: NamedCall, body: object, { isForced, check }: PatchOptions): Change {
  const schema = bodySchema(parts, call);
  if (!schema) throw new StatusError('UnsupportedMediaType', 'server-side apply knows nothing of this kind');
  if (!call.fieldManager)
    throw new StatusError(
      'Invalid',
      'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch',
      {
        details: {
          group: 'meta.k8s.io',
          kind: 'PatchOptions',
          causes: [
            {
              reason: 'FieldValueRequired',
              message: 'Required value: is required for apply patch',
              field: 'fieldManager',
            },
          ],
        },
      },
    );
  const asked = check(body);
  return {
    mayCreate: true,
    isPinned: namesVersion(body),
    isApply: true,
    next: (live) =>
      parts.merge.apply({
        schema,
        live,
        applied: asked,
        manager: call.fieldManager,
        ...(call.subresource !== undefined && { subresource: call.subresource }),
        isForced,
        now: isoSeconds(parts.clock.now()),
        ...(call.subresource !== 'scale' && { versions: versionsOf(parts, call) }),
      }),
  };
}
