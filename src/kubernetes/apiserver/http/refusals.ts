/** Answers of the server itself, before any resource is asked. */
import { StatusError } from '../../status.ts';

/** Upstream's answer for what is nothing at all. */
export function notFoundPath(): StatusError {
  return new StatusError('NotFound', 'the server could not find the requested resource', { details: {} });
}

export function notAllowed(): StatusError {
  return new StatusError('MethodNotAllowed', 'the server does not allow this method on the requested resource');
}
