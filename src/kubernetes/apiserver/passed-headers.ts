/** Which headers go through this server to another and back. */

/** Of one connection, not of the message: RFC 9110, section 7.6.1, with those older. `Connection` may name more. */
const ofConnection = /^(?:connection|keep-alive|te|trailer|transfer-encoding|upgrade|proxy-.*)$/;
/** Who asks, and whom: the first is ours to check, and to say. */
const ofCaller = /^(?:authorization|host|impersonate-.*|x-remote-.*)$/;

type Headers = NodeJS.Dict<string[]>;
export type PassedHeaders = { readonly [name: string]: string[] };

/** What another server is asked with. Names are in lower case, as in `IncomingMessage.headersDistinct`. */
export function passedOn(headers: Headers): PassedHeaders {
  return endToEnd(headers, (name) => !ofCaller.test(name));
}

/** What the client is answered with. */
export function passedBack(headers: Headers): PassedHeaders {
  return endToEnd(headers, () => true);
}

/** The same of a connection that leaves HTTP: what asks for that goes on, and no body does. */
export function passedOnUpgrading(headers: Headers): PassedHeaders {
  const { 'content-length': _, ...passed } = passedOn(headers);
  return { ...passed, connection: ['Upgrade'], upgrade: headers.upgrade ?? [] };
}

function endToEnd(headers: Headers, isWanted: (name: string) => boolean): PassedHeaders {
  const named = (headers.connection ?? []).join().split(',');
  const ended = new Set(named.map((name) => name.trim().toLowerCase()));
  const kept = Object.entries(headers).filter(
    ([name]) => !ofConnection.test(name) && !ended.has(name) && isWanted(name),
  );
  return Object.fromEntries(kept.map(([name, values]) => [name, values ?? []]));
}

/**
 * How a body's end is told where the client did not say its length. Without it Node writes the bodies of some methods (DELETE, GET) bare behind the headers, where the other end
 * reads them as a request of their own.
 */
export function framing(headers: { readonly [name: string]: unknown }): { readonly [name: string]: string } {
  return headers['content-length'] === undefined ? { 'transfer-encoding': 'chunked' } : {};
}
