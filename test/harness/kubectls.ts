import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { project } from './dabba.ts';

export interface Kubectl {
  /** `1.34`, or `of this machine`. */
  readonly version: string;
  readonly program: string;
}

/** The command lines that stories are told with: that of the version served, which the set-up brings, and one two versions older, where the Google Cloud SDK has put it; else what the machine has. */
export const kubectls: readonly Kubectl[] = (() => {
  const known = [
    { version: '1.34', program: join(project, '.cache/clients/bin/kubectl') },
    { version: '1.32', program: '/usr/lib/google-cloud-sdk/bin/kubectl.1.32' },
  ].filter(({ program }) => existsSync(program));
  return known.length ? known : [{ version: 'of this machine', program: 'kubectl' }];
})();
