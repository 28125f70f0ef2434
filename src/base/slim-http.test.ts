import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';

const module = JSON.stringify(new URL('slim-http.ts', import.meta.url));

/** What a process of its own prints that runs `program` as a module. */
const run = (program: string) =>
  execFileSync(process.execPath, ['--input-type=module', '--eval', program], { encoding: 'utf8' }).trim();
const isLoaded = `process.moduleLoadList.some((name) => name.endsWith('undici/undici'))`;

test('after it node:http comes without the client that fetch loads', () => {
  const slim = `(await import(${module})).slimHttp();`;
  const use = `const { createServer } = await import('node:http'); console.log(typeof createServer, ${isLoaded}`;
  assert.equal(run(`${slim} ${use}, typeof fetch)`), 'function false function');
  // Once Node leaves it out by itself, this may go.
  assert.equal(run(`${use})`), 'function true');
});
