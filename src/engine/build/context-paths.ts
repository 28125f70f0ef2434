import { entriesOf } from './tree.ts';

/**
 * What of a directory is its build context: paths relative to it, parents before children, without what the text of its `.dockerignore`
 * leaves out. Throws `InvalidArgument` for a malformed `.dockerignore`.
 */
export function* contextPaths(root: string, ignoreText: string): Generator<string, void> {
  for (const { path } of entriesOf({ root, path: '', name: '', ignore: ignoreText })) if (path !== '') yield path;
}
