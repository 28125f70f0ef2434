import type { RegistryOperation } from './registry.ts';

/** What a path of the protocol means (OCI distribution specification, "Endpoints"). `name` and the rest are not yet checked. */
export type Route =
  | { readonly kind: 'base' }
  | { readonly kind: 'blob'; readonly name: string; readonly digest: string }
  | { readonly kind: 'uploads'; readonly name: string }
  | { readonly kind: 'upload'; readonly name: string; readonly id: string }
  | { readonly kind: 'manifest'; readonly name: string; readonly reference: string }
  | { readonly kind: 'tags'; readonly name: string }
  | { readonly kind: 'referrers'; readonly name: string; readonly digest: string };

/** The route of a decoded path, or undefined if the protocol has none such. A name may itself hold words such as `blobs`. */
export function routeOf(path: string): Route | undefined {
  if (path === '/v2' || path === '/v2/') return { kind: 'base' };
  const match = (pattern: RegExp): readonly string[] | undefined => pattern.exec(path)?.slice(1);
  const manifest = match(/^\/v2\/(.+)\/manifests\/([^/]+)$/);
  if (manifest) return { kind: 'manifest', name: manifest[0]!, reference: manifest[1]! };
  const uploads = match(/^\/v2\/(.+)\/blobs\/uploads\/?$/);
  if (uploads) return { kind: 'uploads', name: uploads[0]! };
  const upload = match(/^\/v2\/(.+)\/blobs\/uploads\/([^/]+)$/);
  if (upload) return { kind: 'upload', name: upload[0]!, id: upload[1]! };
  const blob = match(/^\/v2\/(.+)\/blobs\/([^/]+)$/);
  if (blob) return { kind: 'blob', name: blob[0]!, digest: blob[1]! };
  const tags = match(/^\/v2\/(.+)\/tags\/list$/);
  if (tags) return { kind: 'tags', name: tags[0]! };
  const referrers = match(/^\/v2\/(.+)\/referrers\/([^/]+)$/);
  if (referrers) return { kind: 'referrers', name: referrers[0]!, digest: referrers[1]! };
  return undefined;
}

const operations: { readonly [route: string]: { readonly [method: string]: RegistryOperation } } = {
  blob: { HEAD: 'blob-head', GET: 'blob-get', DELETE: 'blob-delete' },
  uploads: { POST: 'blob-upload-start' },
  upload: {
    GET: 'blob-upload-part',
    PATCH: 'blob-upload-part',
    DELETE: 'blob-upload-part',
    PUT: 'blob-upload-complete',
  },
  manifest: { HEAD: 'manifest-head', GET: 'manifest-get', PUT: 'manifest-put', DELETE: 'manifest-delete' },
  tags: { GET: 'tags-list' },
  referrers: { GET: 'referrers-list' },
};

/** What a request does there, or undefined if the route does not know the method. */
export function operationOf(route: Route, method: string): RegistryOperation | undefined {
  return operations[route.kind]?.[method];
}
