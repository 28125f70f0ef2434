import { NetlinkProtocol, NetlinkSocket, attribute, nested, uint32, type NetlinkRequest } from './netlink.ts';
import { KernelError } from './libc.ts';

// linux/netfilter/nfnetlink.h, nfnetlink_conntrack.h
const [NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_DELETE] = [1, 2] as const;
const [CTA_TUPLE_REPLY, CTA_FILTER] = [2, 25] as const;
const [CTA_TUPLE_IP, CTA_TUPLE_PROTO, CTA_IP_V4_SRC, CTA_PROTO_NUM, CTA_PROTO_SRC_PORT] = [1, 2, 1, 1, 2] as const;
const [CTA_FILTER_ORIG_FLAGS, CTA_FILTER_REPLY_FLAGS] = [1, 2] as const;
/** Source address, protocol and source port: the bits 0, 3 and 4 of `enum ctnetlink_filter` (net/netfilter/nf_conntrack_netlink.c). */
const BY_SOURCE = 0b11001;
const AF_INET = 2;
const protocolNumbers = { tcp: 6, udp: 17, sctp: 132 } as const;

/** Who answers: the side that packets were translated to. */
export interface Answering {
  readonly protocol: keyof typeof protocolNumbers;
  readonly address: string;
  readonly port: number;
}

/** Opens a socket to the connection tracking of the calling thread's network namespace. */
export function conntrackSocket(): NetlinkSocket {
  return new NetlinkSocket(NetlinkProtocol.netfilter);
}

/** Makes the kernel forget every connection that this side answers, so that its next packet is judged and translated anew. Needs Linux 5.8. */
export function forgetConnections(socket: NetlinkSocket, { protocol, address, port }: Answering): void {
  const family = Buffer.from([AF_INET, 0, 0, 0]);
  const portBytes = Buffer.alloc(2);
  portBytes.writeUInt16BE(port);
  const tuple = nested(
    CTA_TUPLE_REPLY,
    nested(CTA_TUPLE_IP, attribute(CTA_IP_V4_SRC, Buffer.from(address.split('.').map(Number)))),
    nested(
      CTA_TUPLE_PROTO,
      attribute(CTA_PROTO_NUM, Buffer.from([protocolNumbers[protocol]])),
      attribute(CTA_PROTO_SRC_PORT, portBytes),
    ),
  );
  const filter = nested(
    CTA_FILTER,
    attribute(CTA_FILTER_ORIG_FLAGS, uint32(0)),
    attribute(CTA_FILTER_REPLY_FLAGS, uint32(BY_SOURCE)),
  );
  const request: NetlinkRequest = {
    type: (NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_DELETE,
    flags: 0,
    body: Buffer.concat([family, tuple, filter]),
    subject: `forget ${protocol} connections answered by ${address}:${port}`,
  };
  try {
    socket.execute(request);
  } catch (error) {
    if (!(error instanceof KernelError && error.code === 'ENOENT')) throw error;
  }
}
