import { AwsError } from '../errors.ts';
import { compileColumns } from './pattern-columns.ts';
import { compileJson } from './pattern-json.ts';
import { regexMatcher, type Matcher } from './pattern-regex.ts';

/**
 * Compiles a filter pattern: CloudWatch Logs User Guide, "Filter pattern syntax". Terms (`ERROR`, `"two words"`, `?either`, `-without`,
 * `%regex%`), a JSON condition (`{ $.level = "error" }`) or columns (`[ip, status=5*]`). The empty pattern matches everything.
 * Throws `InvalidParameterException` for a pattern that cannot be read.
 */
export function compilePattern(pattern: string): Matcher {
  const text = pattern.trim();
  if (!text) return () => true;
  if (text.length > 1024)
    throw new AwsError('InvalidParameterException', 'A filter pattern has at most 1024 characters.');
  if (text.startsWith('{')) return compileJson(text);
  if (text.startsWith('[')) return compileColumns(text);
  return compileTerms(text);
}

const TERM = /\s*([?-]?)(?:"((?:[^"\\]|\\.)*)"|%([^%]+)%|([^\s"]+))/gy;

/** All plain terms, none of the excluded, and at least one of the optional ones. */
function compileTerms(text: string): Matcher {
  const terms = [...text.matchAll(TERM)];
  if (terms.map(([whole]) => whole).join('') !== text)
    throw new AwsError('InvalidParameterException', `Invalid filter pattern: "${text}"`);
  const of = (sign: string) =>
    terms
      .filter((term) => term[1] === sign)
      .map(([, , quoted, regex, bare]) => termMatcher(quoted?.replaceAll(/\\(.)/g, '$1') ?? bare, regex));
  const [required, excluded, optional] = [of(''), of('-'), of('?')];
  return (message) =>
    required.every((matches) => matches(message)) &&
    !excluded.some((matches) => matches(message)) &&
    // Beside required terms the optional ones decide nothing.
    (!optional.length || required.length > 0 || optional.some((matches) => matches(message)));
}

function termMatcher(literal: string | undefined, regex: string | undefined): Matcher {
  if (regex !== undefined) return regexMatcher(regex);
  return (message) => message.includes(literal ?? '');
}
