import { chmodSync, copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Recipe } from './recipe.ts';
import { SHELL_PATH } from './recipe.ts';

const version = process.versions.node;

/** Debian with the Node.js that dabba itself runs on. */
export const node: Recipe = {
  name: 'node',
  tags: ['latest', 'current', version.split('.')[0]!, version, `${version.split('.')[0]}-slim`],
  base: 'debian:latest',
  config: { Cmd: ['node'], Env: [SHELL_PATH, `NODE_VERSION=${version}`] },
  comment: `Node.js ${version}`,
  async fill(root) {
    mkdirSync(join(root, 'usr/local/bin'), { recursive: true });
    copyFileSync(process.execPath, join(root, 'usr/local/bin/node'));
    chmodSync(join(root, 'usr/local/bin/node'), 0o755);
  },
};
