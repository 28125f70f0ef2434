import { DabbaError } from '#base';

/** A JSON object from a client, read member by member. An absent member and null are the same; a wrong type throws `InvalidArgument`. */
export class Fields {
  readonly #members: { readonly [name: string]: unknown };
  readonly #path: string;

  constructor(value: unknown, path = '') {
    if (value !== undefined && value !== null && (typeof value !== 'object' || Array.isArray(value)))
      throw new DabbaError('InvalidArgument', `${path === '' ? 'the request body' : path} is not a JSON object`);
    this.#members = (value ?? {}) as { readonly [name: string]: unknown }; // an object, as just checked
    this.#path = path;
  }

  /** True if the member is there and says something: not null, empty, zero or false. */
  isGiven(name: string): boolean {
    const value = this.#members[name];
    if (typeof value !== 'object' || value === null) return Boolean(value);
    return Object.keys(value).length > 0;
  }

  text(name: string): string | undefined {
    return this.#typed(name, 'a string', (value) => (typeof value === 'string' ? value : undefined));
  }

  /** A string, absent when empty: Docker's clients send `""` for what was not asked. */
  word(name: string): string | undefined {
    return this.text(name) || undefined;
  }

  number(name: string): number | undefined {
    return this.#typed(name, 'a number', (value) => (typeof value === 'number' ? value : undefined));
  }

  /** A number, absent when zero. */
  amount(name: string): number | undefined {
    return this.number(name) || undefined;
  }

  flag(name: string): boolean {
    return this.#typed(name, 'a boolean', (value) => (typeof value === 'boolean' ? value : undefined)) ?? false;
  }

  /** Strings; a single string counts as a list of one. */
  texts(name: string): readonly string[] | undefined {
    return this.#typed(name, 'a list of strings', (value) => {
      if (typeof value === 'string') return [value];
      return Array.isArray(value) && value.every((item) => typeof item === 'string') ? value : undefined;
    });
  }

  textMap(name: string): { readonly [key: string]: string } | undefined {
    return this.#typed(name, 'a map of strings', (value) => {
      if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
      const entries = Object.entries(value as { readonly [key: string]: unknown });
      if (!entries.every((entry): entry is [string, string] => typeof entry[1] === 'string')) return undefined;
      return Object.fromEntries(entries);
    });
  }

  /** A list of strings, or the names of an object: the two forms in which clients write sets. */
  set(name: string): readonly string[] {
    return Array.isArray(this.#members[name]) ? this.texts(name)! : this.object(name).keys();
  }

  keys(): readonly string[] {
    return Object.keys(this.#members);
  }

  object(name: string): Fields {
    return new Fields(this.#members[name], this.#pathOf(name));
  }

  objects(name: string): readonly Fields[] {
    const items =
      this.#typed(name, 'a list', (value) => (Array.isArray(value) ? (value as unknown[]) : undefined)) ?? [];
    return items.map((item, index) => new Fields(item, `${this.#pathOf(name)}[${index}]`));
  }

  #typed<Type>(name: string, wanted: string, read: (value: unknown) => Type | undefined): Type | undefined {
    const value = this.#members[name];
    if (value === undefined || value === null) return undefined;
    const typed = read(value);
    if (typed === undefined) throw new DabbaError('InvalidArgument', `${this.#pathOf(name)} is not ${wanted}`);
    return typed;
  }

  #pathOf(name: string): string {
    return this.#path === '' ? name : `${this.#path}.${name}`;
  }
}

type Present<Type> = { readonly [name in keyof Type]?: Exclude<Type[name], undefined> };

/** The members that are there: our types tell "absent" from "undefined". */
export function present<Type extends object>(members: Type): Present<Type> {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as Present<Type>; // only undefined was dropped
}
