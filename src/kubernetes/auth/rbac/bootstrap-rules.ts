/** A shorthand for the default roles: words separated by spaces; `core` is the group without a name. */
import type { PolicyRule } from './rules.ts';

export const read = 'get list watch';
export const write = 'create delete deletecollection patch update';

export function rule(verbs: string, groups: string, resources: string, names?: string): PolicyRule {
  return {
    apiGroups: groups.split(' ').map((group) => (group === 'core' ? '' : group)),
    resources: resources.split(' '),
    ...(names && { resourceNames: names.split(' ') }),
    verbs: verbs.split(' '),
  };
}

export function paths(verbs: string, urls: string): PolicyRule {
  return { nonResourceURLs: urls.split(' '), verbs: verbs.split(' ') };
}

/** Everyone who acts also tells of it. */
export const eventRule = rule('create patch update', 'core events.k8s.io', 'events');
