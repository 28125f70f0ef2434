import { comparison, malformed, readExpression, tokenize } from './pattern-condition.ts';
import type { Matcher } from './pattern-regex.ts';

/** Compiles `[ip, user, ..., status=5*, size > 100]`: the message's columns by place, each perhaps with a condition. */
export function compileColumns(text: string): Matcher {
  if (!text.endsWith(']')) throw malformed(text);
  const columns = text
    .slice(1, -1)
    .split(',')
    .map((column) => column.trim());
  const rest = columns.indexOf('...');
  const tests = columns.filter((column) => column !== '...').map(compileColumn);
  return (message) => {
    const fields = fieldsOf(message);
    if (rest === -1 ? fields.length !== tests.length : fields.length < tests.length) return false;
    const tail = rest === -1 ? 0 : tests.length - rest;
    const picked = tail ? [...fields.slice(0, rest), ...fields.slice(fields.length - tail)] : fields;
    return tests.every((test, index) => test(picked[index]!));
  };
}

function compileColumn(column: string): (field: string) => boolean {
  if (!/[=<>]/.test(column)) return () => true;
  const tokens = tokenize(column);
  const holds = readExpression<string>(tokens, (tokens) => {
    // The name only helps the reader: the column's place decides.
    tokens.shift();
    return comparison(tokens.shift() ?? '', tokens.shift() ?? '');
  });
  if (tokens.length) throw malformed(column);
  return holds;
}

/** Columns are separated by white space; quotes and square brackets hold one together. */
function fieldsOf(message: string): string[] {
  return [...message.matchAll(/"([^"]*)"|\[([^\]]*)\]|(\S+)/g)].map(
    ([, quoted, bracketed, bare]) => quoted ?? bracketed ?? bare!,
  );
}
