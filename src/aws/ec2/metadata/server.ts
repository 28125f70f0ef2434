/** The instance metadata service, versions 1 and 2: Amazon EC2 User Guide, "Use the Instance Metadata Service to access instance metadata". */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { messageOf, type Clock, type Logger, type Random } from '#base';
import type { NetworkRecords } from '#network';
import type { Identities } from '../../auth/index.ts';
import type { VpcCaller } from '../../vpc-addresses.ts';
import type { InstanceProfiles } from '../instance-handlers.ts';
import type { Instances } from '../instances.ts';
import { metadataCaller, type MetadataCaller } from './caller.ts';
import { instanceFacts, roleSessions, type RoleSessions } from './facts.ts';
import { defaultMetadataOptions } from './options.ts';
import { MetadataTokens } from './tokens.ts';
import { metadataTree, readMetadata } from './tree.ts';

export interface MetadataParts {
  readonly instances: Instances;
  readonly records: NetworkRecords;
  readonly profiles: InstanceProfiles;
  readonly identities: Pick<Identities, 'issueRoleSession' | 'describeRole'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** Serves one question of whoever is at an address of a VPC. Never rejects. Where an answer would not arrive, the connection ends without one. */
export type MetadataServer = (request: IncomingMessage, response: ServerResponse, from: VpcCaller) => Promise<void>;

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly headers?: { readonly [name: string]: string };
}

const NAMED = /^\/(latest|\d{4}-\d{2}-\d{2}|1\.0)(?:\/|$)/;
const TTL = 'x-aws-ec2-metadata-token-ttl-seconds';
const TOKEN = 'x-aws-ec2-metadata-token';

export function createMetadataServer(parts: MetadataParts): MetadataServer {
  const tokens = new MetadataTokens(Buffer.from(parts.random.hex(64), 'hex'), () => parts.clock.now());
  const sessions = roleSessions(parts);
  return async (request, response, from) => {
    try {
      const caller = await metadataCaller(parts, from);
      const answer = caller && (await answerTo(caller, request, { parts, tokens, sessions }));
      if (answer) {
        response.writeHead(answer.status, { 'content-type': 'text/plain', server: 'EC2ws', ...answer.headers });
        response.end(request.method === 'HEAD' ? '' : answer.text);
      } else request.socket.destroy();
    } catch (error) {
      parts.logger.warn('a question for metadata could not be answered', {
        path: request.url,
        error: messageOf(error),
      });
      response.writeHead(500).end();
    }
  };
}

interface Serving {
  readonly parts: MetadataParts;
  readonly tokens: MetadataTokens;
  readonly sessions: RoleSessions;
}

/** Undefined where the answer would not arrive. */
async function answerTo(
  caller: MetadataCaller,
  request: IncomingMessage,
  serving: Serving,
): Promise<Answer | undefined> {
  const { instance, hops } = caller;
  const { isEnabled, requiresToken, hopLimit } = instance.metadataOptions ?? defaultMetadataOptions;
  const path = request.url?.split('?')[0] ?? '/';
  if (!isEnabled) return { status: 403, text: 'Forbidden' };
  if (request.method === 'PUT') {
    if (path !== '/latest/api/token') return { status: 404, text: 'Not Found' };
    // What was forwarded comes from who may not be on the instance at all.
    if (request.headers['x-forwarded-for'] !== undefined) return { status: 403, text: 'Forbidden' };
    return hops > hopLimit ? undefined : newToken(instance.id, request.headers[TTL]?.toString(), serving.tokens);
  }
  if (request.method !== 'GET' && request.method !== 'HEAD') return { status: 405, text: 'Method Not Allowed' };
  const token = request.headers[TOKEN]?.toString();
  const secondsLeft = token === undefined ? undefined : serving.tokens.secondsLeft(instance.id, token);
  if (secondsLeft === undefined && (requiresToken || token !== undefined)) return { status: 401, text: 'Unauthorized' };
  const text = await textAt(path, caller, serving);
  const headers = secondsLeft === undefined ? {} : { [TTL]: String(secondsLeft) };
  return text === undefined ? { status: 404, text: 'Not Found', headers } : { status: 200, text, headers };
}

function newToken(instanceId: string, ttl: string | undefined, tokens: MetadataTokens): Answer {
  const issued = tokens.issue(instanceId, ttl);
  if (!issued) return { status: 400, text: 'Bad Request' };
  return { status: 200, text: issued.token, headers: { [TTL]: String(issued.ttlS) } };
}

async function textAt(path: string, caller: MetadataCaller, { parts, sessions }: Serving): Promise<string | undefined> {
  if (path === '/') return 'latest';
  if (!NAMED.test(path)) return undefined;
  const tree = metadataTree(await instanceFacts(parts, caller, sessions));
  return await readMetadata(tree, path.split('/').slice(2));
}
