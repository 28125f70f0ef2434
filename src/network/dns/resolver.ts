import { AUTHORITATIVE_ANSWER, RECURSION_AVAILABLE, RECURSION_DESIRED, decode, encode } from 'dns-packet';
import type { Answer, DecodedPacket } from 'dns-packet';
import type { DnsAsker, DnsZone } from './zone.ts';

export type DnsTransport = 'udp' | 'tcp';

/** Passes a query on to the machine's own resolvers; undefined when none of them answered in time. */
export type ForwardQuery = (query: Buffer, transport: DnsTransport) => Promise<Buffer | undefined>;

/** Takes a query as it came from the wire and gives the answer for the wire, or undefined for what deserves none. */
export type Resolve = (query: Buffer, transport: DnsTransport, asker: DnsAsker) => Promise<Buffer | undefined>;

const HEADER_BYTES = 12;
const RESPONSE_FLAG = 0x8000;
/** The operation code; 0 is a standard query (RFC 1035, 4.1.1). */
const OPERATION_MASK = 0x7800;
const responseCodes = { noError: 0, formatError: 1, serverFailure: 2, nameError: 3, notImplemented: 4 } as const;

/** Answers from `zones` where one knows the name, and from elsewhere by `forward` otherwise. */
export function createResolver(zones: () => readonly DnsZone[], forward: ForwardQuery): Resolve {
  return async (query, transport, asker) => {
    if (query.length < HEADER_BYTES || query.readUInt16BE(2) & RESPONSE_FLAG) return undefined;
    const packet = decoded(query);
    const question = packet?.questions?.[0];
    if (!packet || !question || packet.questions?.length !== 1) return failure(query, responseCodes.formatError);
    if (query.readUInt16BE(2) & OPERATION_MASK) return failure(query, responseCodes.notImplemented);
    const asked = { name: question.name.toLowerCase(), type: question.type };
    for (const zone of zones()) {
      const answers = zone.answer(asked, asker);
      if (answers) return authoritative(packet, answers);
    }
    return (await forward(query, transport)) ?? failure(query, responseCodes.serverFailure);
  };
}

/** A query that does not parse is answered with a format error, whatever the parser tripped over. */
function decoded(query: Buffer): DecodedPacket | undefined {
  try {
    return decode(query);
  } catch (error) {
    if (error instanceof Error) return undefined;
    throw error;
  }
}

function authoritative(query: DecodedPacket, answers: readonly Answer[] | 'unknown'): Buffer {
  const code = answers === 'unknown' ? responseCodes.nameError : responseCodes.noError;
  const flags = AUTHORITATIVE_ANSWER | RECURSION_AVAILABLE | ((query.flags ?? 0) & RECURSION_DESIRED) | code;
  return encode({
    type: 'response',
    ...(query.id === undefined ? {} : { id: query.id }),
    flags,
    questions: query.questions ?? [],
    answers: answers === 'unknown' ? [] : [...answers],
  });
}

/** The query's own header and question, sent back with a response code and no records. */
function failure(query: Buffer, code: number): Buffer {
  const header = Buffer.from(query.subarray(0, HEADER_BYTES));
  header.writeUInt16BE(RESPONSE_FLAG | RECURSION_AVAILABLE | (header.readUInt16BE(2) & RECURSION_DESIRED) | code, 2);
  header.fill(0, 4);
  return header;
}
