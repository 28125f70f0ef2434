import { AwsError } from '../errors.ts';

/** Whether a message matches a filter pattern, or a part of one. */
export type Matcher = (message: string) => boolean;

/** The service's regular expressions are a small part of JavaScript's; its limit keeps hostile ones out. */
const REGEX = /^[A-Za-z0-9_#=@/;,\-:\s.[\]^$|()+*?{}\\]{1,256}$/;

export function regexMatcher(source: string): Matcher {
  if (!REGEX.test(source) || /[)\]*+?}][*+{]/.test(source))
    throw new AwsError('InvalidParameterException', `Invalid regular expression in filter pattern: %${source}%`);
  try {
    const form = new RegExp(source);
    return (message) => form.test(message);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new AwsError('InvalidParameterException', `Invalid regular expression in filter pattern: %${source}%`);
  }
}
