/** What the Kubernetes client's generated models say of a type: which fields there are, which are required, and the documentation of each. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

export interface Model {
  readonly description: string;
  /** By JSON name. */
  readonly fields: ReadonlyMap<string, ModelField>;
}

export interface ModelField {
  readonly isRequired: boolean;
  readonly description: string;
  /** As the model writes it: `string`, `Array<V1Container>`, `{ [key: string]: string; }`. */
  readonly type: string;
  readonly format: string;
}

/** Reads models by class name, each once. */
export class Models {
  readonly #directory: string;
  readonly #names: ReadonlySet<string>;
  readonly #read = new Map<string, Model>();

  /** `packageDirectory` holds `@kubernetes/client-node`. */
  constructor(packageDirectory: string) {
    this.#directory = join(packageDirectory, 'dist/gen/models');
    const files = readdirSync(this.#directory);
    this.#names = new Set(files.filter((file) => file.endsWith('.d.ts')).map((file) => file.slice(0, -5)));
  }

  get(name: string): Model | undefined {
    if (!this.#names.has(name)) return undefined;
    const model = this.#read.get(name) ?? this.#load(name);
    this.#read.set(name, model);
    return model;
  }

  #load(name: string): Model {
    const declaration = readFileSync(join(this.#directory, `${name}.d.ts`), 'utf8');
    const code = readFileSync(join(this.#directory, `${name}.js`), 'utf8');
    const list = /\.attributeTypeMap = (\[[^]*?\n\]);/.exec(code)?.[1] ?? '[]';
    const attributes = JSON.parse(list) as { name: string; baseName: string; type: string; format: string }[];
    const properties = propertiesOf(declaration);
    const fields = attributes.map(({ name, baseName, type, format }) => {
      const property = properties.get(name);
      return [
        baseName,
        { type, format, isRequired: property?.isRequired ?? false, description: property?.description ?? '' },
      ] as const;
    });
    const description = /\/\*\*([^]*?)\*\/\s*export declare class/.exec(
      declaration.slice(declaration.indexOf('*/') + 2),
    );
    return { description: plain(description?.[1] ?? ''), fields: new Map(fields) };
  }
}

function propertiesOf(declaration: string) {
  const property = /(?:\/\*\*((?:[^*]|\*(?!\/))*)\*\/\s*)?^ {4}'([^']+)'(\??):/gm;
  return new Map(
    Array.from(declaration.matchAll(property), ([, comment = '', name, optional]) => [
      name!,
      { isRequired: optional === '', description: plain(comment) },
    ]),
  );
}

/** A comment's text, without its stars and the escapes of its generator. */
function plain(comment: string): string {
  return comment
    .replace(/^\s*\* ?/gm, '')
    .replace(/\\(['"*/\\])/g, '$1')
    .trim();
}
