import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { test } from 'node:test';
import { parseSync } from 'oxc-parser';

/** Each room and the rooms it may import: ARCHITECTURE.md, "Rooms". */
const layers: readonly (readonly string[])[] = [
  ['base'],
  ['kernel', 'store', 'blob'],
  ['reconcile'],
  ['engine', 'network'],
  ['registry'],
  ['node'],
  ['docker', 'kubernetes'],
  ['aws'],
  ['daemon'],
  ['cli'],
];
const source = resolve(import.meta.dirname, '../../src');
/** Entries of a room beside its index.ts, for what one of the two processes alone loads (docs/decisions/0006), or tests alone. */
const secondDoors = new Map([
  ['#aws/agent', 'aws'],
  ['#engine/fake', 'engine'],
  ['#kubernetes/kubelet', 'kubernetes'],
  ['#network/linux', 'network'],
  ['#node/worker', 'node'],
]);
const levelOf = new Map(layers.flatMap((rooms, level) => rooms.map((room) => [room, level] as const)));

interface Import {
  readonly file: string;
  readonly target: string;
}

/** Every module specifier of a file: static, dynamic, and re-exports. */
function importsOf(file: string, text: string): Import[] {
  const { module, errors } = parseSync(file, text);
  assert.deepEqual(errors, [], `${file} does not parse`);
  const dynamic = module.dynamicImports.map(({ moduleRequest }) => text.slice(moduleRequest.start, moduleRequest.end));
  const inTypes = [...text.matchAll(/\bimport\(\s*'([^']+)'\s*\)/g)].map((match) => match[1]!);
  return [
    ...module.staticImports.map((entry) => entry.moduleRequest.value),
    ...module.staticExports.flatMap((entry) =>
      entry.entries.flatMap(({ moduleRequest }) => moduleRequest?.value ?? []),
    ),
    ...dynamic.filter((expression) => /^['"]/.test(expression)).map((literal) => literal.slice(1, -1)),
    ...inTypes,
  ].map((target) => ({ file, target }));
}

/** What is wrong with an import, or undefined. `file` is relative to `src/`. */
function faultOf({ file, target }: Import): string | undefined {
  const from = file.split('/')[0]!;
  const level = levelOf.get(from);
  if (level === undefined) return `${file}: "${from}" is not a room`;
  if (target.startsWith('#')) {
    const to = secondDoors.get(target) ?? target.slice(1);
    const targetLevel = levelOf.get(to);
    if (targetLevel === undefined) return `${file}: imports "${target}", which is no room's entry`;
    if (targetLevel >= level) return `${file}: ${from} may not import ${to}, which is not beneath it`;
    return undefined;
  }
  if (!target.startsWith('.')) return undefined;
  const to = relative('/', join('/', file, '..', target)).split('/');
  if (to[0] !== from) return `${file}: reaches into another room by path, ${target}`;
  const isService = (path: readonly string[]) =>
    from === 'aws' && path.length > 2 && !['wire', 'auth'].includes(path[1]!);
  const own = file.split('/');
  if (isService(to) && to[1] !== own[1] && to.slice(2).join('/') !== 'index.ts')
    return `${file}: enters service ${to[1]} by ${target} instead of its index.ts`;
  return undefined;
}

const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));

test('every import points to a room beneath, through its entry', () => {
  const imports = files.flatMap((file) => importsOf(file, readFileSync(join(source, file), 'utf8')));
  assert.ok(files.length > 20 && imports.length > 40, 'the guard looked at the source');
  assert.deepEqual(imports.map(faultOf).filter(Boolean), []);
});

test('the guard finds planted faults', () => {
  const faults = (file: string, text: string) => new Set(importsOf(file, text).map(faultOf).filter(Boolean)).size;
  assert.equal(faults('store/a.ts', `import { x } from '#engine';`), 1);
  assert.equal(faults('engine/a.ts', `export * from '#network';`), 1);
  assert.equal(faults('node/a.ts', `import { x } from '#aws/agent';`), 1);
  assert.equal(faults('engine/a.ts', `import { x } from '#store/sqlite';`), 1);
  assert.equal(faults('engine/a.ts', `const x = await import('#docker');`), 1);
  assert.equal(faults('engine/a.ts', `type X = import('#aws').X;`), 1);
  assert.equal(faults('aws/ecs/a.ts', `import { x } from '../ec2/addresses.ts';`), 1);
  assert.equal(faults('node/a.ts', `import { x } from '../store/sqlite/driver.ts';`), 1);
  assert.equal(
    faults('aws/ecs/a.ts', `import { x } from '../ec2/index.ts'; import { y } from '#store'; import z from 'koffi';`),
    0,
  );
});

test('foreign function calls stay in kernel/', () => {
  const users = files.filter((file) =>
    importsOf(file, readFileSync(join(source, file), 'utf8')).some(({ target }) => target === 'koffi'),
  );
  assert.ok(users.length > 0, 'the guard looked at the source');
  assert.deepEqual(
    users.filter((file) => !file.startsWith('kernel/')),
    [],
  );
});
