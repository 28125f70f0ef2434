/** Which Go packages hold the served API types, and by which names these are published. */
import type { GoStruct } from './go-types.ts';

const apiPackage =
  /^k8s\.io\/(?:api\/(\w+)|apiextensions-apiserver\/pkg\/apis\/(\w+)|kube-aggregator\/pkg\/apis\/(\w+))\/(v\d+)$/;
const machinery = new Set([
  'k8s.io/apimachinery/pkg/apis/meta/v1',
  'k8s.io/apimachinery/pkg/runtime',
  'k8s.io/apimachinery/pkg/version',
]);
/** Not served, or served by documents of their own. */
const unwanted = new Set(['imagepolicy', 'apidiscovery']);

/** True for the packages of the generally available API types and of what they share. */
export function isApiPackage(packagePath: string): boolean {
  const match = apiPackage.exec(packagePath);
  return match ? !unwanted.has(match[1] ?? '') : machinery.has(packagePath);
}

/** Groups whose name is not `<package>.k8s.io`. */
const groups: { readonly [name: string]: string } = {
  core: '',
  apps: 'apps',
  autoscaling: 'autoscaling',
  batch: 'batch',
  policy: 'policy',
  rbac: 'rbac.authorization.k8s.io',
  flowcontrol: 'flowcontrol.apiserver.k8s.io',
};

/** The group and version of a package's kinds; the machinery's own kinds are in `meta.k8s.io`. */
export function groupOf(packagePath: string): readonly [group: string, version: string] {
  const match = apiPackage.exec(packagePath);
  if (!match) return ['meta.k8s.io', 'v1'];
  const name = (match[1] ?? match[2] ?? match[3])!;
  return [groups[name] ?? `${name}.k8s.io`, match[4]!];
}

/** Kinds are of API packages and of `meta/v1`; the `runtime` package has only their parts. */
export function isEndOfGroup({ packagePath }: GoStruct): boolean {
  return apiPackage.test(packagePath) || packagePath.endsWith('/meta/v1');
}

/** `k8s.io/api/apps/v1` and `Deployment`: `io.k8s.api.apps.v1.Deployment`. */
export function publishedName({ packagePath, name }: Pick<GoStruct, 'packagePath' | 'name'>): string {
  const [host, ...path] = packagePath.split('/');
  return [...host!.split('.').reverse(), ...path, name].join('.');
}

/** The class names under which the client may have the type: with the group where versions alone would clash. */
export function modelNamesOf({ packagePath, name }: GoStruct): readonly string[] {
  const words = packagePath
    .split('/')
    .slice(-2)
    .map((word) => word[0]!.toUpperCase() + word.slice(1));
  const version = packagePath.endsWith('/version') && name === 'Info' ? ['VersionInfo'] : [];
  return [...version, `${words.join('')}${name}`, `${words[1]}${name}`];
}
