/** 422, as the API server answers a patch that is well formed and does not apply: what is wrong stands in the cause. */
import { StatusError } from '../status.ts';

export function rejected(why: string): StatusError {
  return new StatusError('Invalid', 'the server rejected our request due to an error in our request', {
    details: { causes: [{ reason: 'UnexpectedServerResponse', field: 'patch', message: why }] },
  });
}
