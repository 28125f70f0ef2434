import {
  AUTHORITATIVE_ANSWER,
  RECURSION_AVAILABLE,
  RECURSION_DESIRED,
  TRUNCATED_RESPONSE,
  decode,
  encode,
} from 'dns-packet';
import type { Answer, DecodedPacket, OptAnswer, RecordType } from 'dns-packet';
import type { DnsAsker, DnsQuestion, DnsZone } from './zone.ts';

export type DnsTransport = 'udp' | 'tcp';

/** Passes a query on to the machine's own resolvers, or to `servers` instead; undefined when none of them answered in time. */
export type ForwardQuery = (
  query: Buffer,
  transport: DnsTransport,
  asker: DnsAsker,
  servers?: readonly string[],
) => Promise<Buffer | undefined>;

/** Takes a query as it came from the wire and gives the answer for the wire, or undefined for what deserves none. */
export type Resolve = (query: Buffer, transport: DnsTransport, asker: DnsAsker) => Promise<Buffer | undefined>;

const HEADER_BYTES = 12;
const RESPONSE_FLAG = 0x8000;
/** The operation code; 0 is a standard query (RFC 1035, 4.1.1). */
const OPERATION_MASK = 0x7800;
const CODE_MASK = 0xf;
/** "DNS Flag Day 2020". */
const [PLAIN_DATAGRAM_BYTES, MAX_DATAGRAM_BYTES, MAX_MESSAGE_BYTES] = [512, 1232, 65_535] as const;
const OWN_EXTENSIONS: OptAnswer = {
  type: 'OPT',
  name: '.',
  udpPayloadSize: MAX_DATAGRAM_BYTES,
  extendedRcode: 0,
  ednsVersion: 0,
  flags: 0,
  flag_do: false,
  options: [],
};
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
    const known = fromZones(zones(), asked, asker);
    if (!known) return (await forward(query, transport, asker)) ?? failure(query, responseCodes.serverFailure);
    const reply = await withTarget(known, asked, { zones: zones(), asker, forward, transport });
    return encoded(() => fitting(packet, reply, transport)) ?? failure(query, responseCodes.formatError);
  };
}

/** What the parser took for a question cannot always be written again: unknown classes, names too long. */
function encoded(write: () => Buffer): Buffer | undefined {
  try {
    return write();
  } catch (error) {
    if (error instanceof Error) return undefined;
    throw error;
  }
}

/** What a zone has to say, in the sections of a message. */
interface Reply {
  readonly code: number;
  readonly answers: readonly Answer[];
  readonly authorities: readonly Answer[];
  readonly additionals: readonly Answer[];
}

function fromZones(zones: readonly DnsZone[], asked: DnsQuestion, asker: DnsAsker): Reply | undefined {
  for (const zone of zones) {
    const answer = zone.answer(asked, asker);
    if (!answer) continue;
    const { answers, additionals } =
      answer === 'unknown' ? NOTHING : 'answers' in answer ? answer : { answers: answer, additionals: [] };
    const code = answer === 'unknown' ? responseCodes.nameError : responseCodes.noError;
    return { code, answers, additionals, authorities: answers.length === 0 && zone.start ? [zone.start] : [] };
  }
  return undefined;
}

const NOTHING = { answers: [], additionals: [] };

/** Adds what the target of a lone CNAME has; a stub resolver asks nobody a second time (RFC 1034, 5.3.1). */
async function withTarget(
  reply: Reply,
  asked: DnsQuestion,
  via: {
    readonly zones: readonly DnsZone[];
    readonly asker: DnsAsker;
    readonly forward: ForwardQuery;
    readonly transport: DnsTransport;
  },
): Promise<Reply> {
  const [alias] = reply.answers;
  if (reply.answers.length !== 1 || alias?.type !== 'CNAME' || asked.type === 'CNAME') return reply;
  const target = { name: alias.data.toLowerCase(), type: asked.type };
  const local = fromZones(via.zones, target, via.asker);
  if (local) return { ...local, answers: [alias, ...local.answers.filter(({ type }) => type !== 'CNAME')] };
  const question = encode({
    type: 'query',
    id: 0, // the forwarder asks under one of its own
    flags: RECURSION_DESIRED,
    questions: [{ name: target.name, type: asked.type as RecordType }], // it came out of the same parser
  });
  const answer = await via.forward(question, via.transport, via.asker);
  const packet = answer && decoded(answer);
  if (!packet) return { ...reply, code: responseCodes.serverFailure };
  return { ...reply, code: answer.readUInt16BE(2) & CODE_MASK, answers: [alias, ...(packet.answers ?? [])] };
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

/** The message to send; over UDP without the records that do not fit, and then marked as cut short (RFC 2181, 9). */
function fitting(query: DecodedPacket, reply: Reply, transport: DnsTransport): Buffer {
  const whole = message(query, reply);
  const limit = transport === 'tcp' ? MAX_MESSAGE_BYTES : datagramLimit(query);
  if (whole.length <= limit) return whole;
  const lean = message(query, { ...reply, additionals: [] });
  if (lean.length <= limit) return lean;
  const cut = message(query, { ...reply, answers: [], authorities: [], additionals: [] });
  cut.writeUInt16BE(cut.readUInt16BE(2) | TRUNCATED_RESPONSE, 2);
  return cut;
}

function message(query: DecodedPacket, { code, answers, authorities, additionals }: Reply): Buffer {
  const flags = AUTHORITATIVE_ANSWER | RECURSION_AVAILABLE | ((query.flags ?? 0) & RECURSION_DESIRED) | code;
  return encode({
    type: 'response',
    ...(query.id === undefined ? {} : { id: query.id }),
    flags,
    questions: query.questions ?? [],
    answers: [...answers],
    authorities: [...authorities],
    additionals: [...additionals, ...(extensionsOf(query) ? [OWN_EXTENSIONS] : [])],
  });
}

/** How much a datagram may hold for this client: 512 bytes, or what it says (RFC 6891), up to what passes everywhere unfragmented. */
function datagramLimit(query: DecodedPacket): number {
  const offered = extensionsOf(query)?.udpPayloadSize ?? 0;
  return Math.min(Math.max(offered, PLAIN_DATAGRAM_BYTES), MAX_DATAGRAM_BYTES);
}

function extensionsOf(query: DecodedPacket): OptAnswer | undefined {
  return query.additionals?.find((record): record is OptAnswer => record.type === 'OPT');
}

/** The query's own header and question, sent back with a response code and no records. */
function failure(query: Buffer, code: number): Buffer {
  const header = Buffer.from(query.subarray(0, HEADER_BYTES));
  header.writeUInt16BE(RESPONSE_FLAG | RECURSION_AVAILABLE | (header.readUInt16BE(2) & RECURSION_DESIRED) | code, 2);
  header.fill(0, 4);
  return header;
}
