import { setFlagsFromString } from 'node:v8';
import { AwsError } from '../errors.ts';

/** Whether a message matches a filter pattern, or a part of one. */
export type Matcher = (message: string) => boolean;

/** The flag that V8 has for its engine that does not go back; no part of the language. */
const LINEAR = 'l';

/** The service's regular expressions are a small part of JavaScript's. */
const REGEX = /^[A-Za-z0-9_#=@/;,\-:\s.[\]^$|()+*?{}\\]{1,256}$/;

export function regexMatcher(source: string): Matcher {
  if (!REGEX.test(source))
    throw new AwsError('InvalidParameterException', `Invalid regular expression in filter pattern: %${source}%`);
  try {
    const form = linear(source);
    return (message) => form.test(message);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new AwsError('InvalidParameterException', `Invalid regular expression in filter pattern: %${source}%`);
  }
}

/**
 * By V8's engine that does not go back, so that a match takes time linear in the message, whatever the expression's author wrote. Throws `SyntaxError` also for an
 * expression for which that engine is not enough (counts in the thousands).
 */
function linear(source: string): RegExp {
  setFlagsFromString('--enable-experimental-regexp-engine');
  return new RegExp(source, LINEAR);
}
