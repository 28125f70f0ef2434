import { ANY, formOf, hasForm, literally, ONE } from '../../wildcard.ts';

/** The values of a condition key in one decision, by its name in lower case; undefined when the key is absent. */
export type ContextLookup = (key: string) => readonly string[] | undefined;

/** A pattern of a policy: `*`, `?` and, in version 2012-10-17, variables such as `${aws:username}`. */
export type Pattern = (text: string, lookup: ContextLookup) => boolean;

export interface PatternOptions {
  readonly hasVariables: boolean;
  readonly ignoresCase?: boolean;
  /** Without wildcards `*` and `?` mean themselves (`StringEquals`). */
  readonly hasWildcards?: boolean;
}

/** Compiles a pattern; what a variable brings in is taken literally. One whose variable is absent from the context matches nothing, as IAM has it. */
export function compilePattern(source: string, options: PatternOptions): Pattern {
  const { hasVariables, ignoresCase = false, hasWildcards = true } = options;
  const fold = (text: string) => (ignoresCase ? text.toLowerCase() : text);
  const prepare = (text: string) => (hasWildcards ? formOf(fold(text)) : fold(text));
  if (hasVariables && source.includes('${')) {
    const parts = source.split(/(\$\{[^}]*\})/);
    return (text, lookup) => {
      let pattern = '';
      for (const part of parts) {
        const value = part.startsWith('${') ? variable(part.slice(2, -1), lookup) : prepare(part);
        if (value === undefined) return false;
        pattern += part.startsWith('${') ? literally(fold(value)) : value;
      }
      return hasForm(pattern, fold(text));
    };
  }
  const pattern = prepare(source);
  if (pattern === ANY) return () => true;
  if (!pattern.includes(ANY) && !pattern.includes(ONE)) return (text) => fold(text) === pattern;
  return (text) => hasForm(pattern, fold(text));
}

/** `aws:username`, or with a default: `aws:username, 'nobody'`. `*`, `?` and `$` stand for themselves. */
function variable(expression: string, lookup: ContextLookup): string | undefined {
  if (expression === '*' || expression === '?' || expression === '$') return expression;
  const [name = '', fallback] = expression.split(',', 2);
  const values = lookup(name.trim().toLowerCase());
  if (values?.length === 1) return values[0];
  return fallback === undefined ? undefined : fallback.trim().replace(/^'(.*)'$/, '$1');
}
