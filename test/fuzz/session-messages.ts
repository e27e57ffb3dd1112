import { encode, type Message } from '@rystra/protocol'
import type { Messages } from './messages.js'

const [DATA, WINDOW, PING, GOAWAY] = [0, 1, 2, 3] as const
const [SYN, ACK, FIN, RST] = [1, 2, 4, 8] as const

/** A frame of yamux. */
const frame = (type: number, flags: number, id: number, length: number, body: Uint8Array = Buffer.alloc(0)): Buffer => {
  const head = Buffer.alloc(12)
  head.writeUInt8(type, 1)
  head.writeUInt16BE(flags, 2)
  head.writeUInt32BE(id, 4)
  head.writeUInt32BE(length, 8)
  return Buffer.concat([head, body])
}

const data = (id: number, bytes: Uint8Array, flags = 0): Buffer => frame(DATA, flags, id, bytes.length, bytes)

const visitor = ['192.0.2.1', 1] as [string, number]

/** What a session may send on its control stream, and what it may not. */
const control: readonly unknown[] = [
  { type: 'Heartbeat', seq: 1, time: 0 },
  { type: 'HeartbeatAck', seq: 9, time: 0 },
  { type: 'RegisterProxy', request: 1, spec: { name: 'fuzz-a', kind: 'tcp' } },
  { type: 'RegisterProxy', request: 1, spec: { name: 'fuzz-a', kind: 'tcp' }, replace: true },
  { type: 'RegisterProxy', request: 2, spec: { name: 'fuzz-b', kind: 'http' } },
  { type: 'RegisterProxy', request: 3, spec: { name: 'fuzz-c', kind: 'udp' }, lastPort: 1 },
  { type: 'RegisterProxy', request: 4, spec: { name: 'fuzz-d', kind: 'none' } },
  { type: 'RegisterProxyAck', request: 1, address: 'tcp://a:1' },
  { type: 'UnregisterProxy', name: 'fuzz-a' },
  { type: 'UnregisterProxy', name: 'nothing' },
  { type: 'ProxyHealth', name: 'fuzz-a', up: false },
  { type: 'ProxyAddress', name: 'fuzz-a', address: 'tcp://a:1' },
  { type: 'PushProxy', request: 1, spec: { name: 'pushed', kind: 'tcp' } },
  { type: 'PushProxyAck', request: 1 },
  { type: 'RequestLinks', count: 2 },
  { type: 'GoAway', drain: 0 },
  { type: 'GoAway', drain: 10, alternatives: [['127.0.0.1', 1]] },
  { type: 'Notice', proxy: 'fuzz-a', notice: { session: 'none', notice: {} } },
  { type: 'StreamReady' },
  { type: 'Auth', proof: new Uint8Array(32) }
]

/** What may be at the head of a stream. */
const heads: readonly unknown[] = [
  { type: 'OpenStream', id: '1', proxy: 'echo', visitor, to: visitor },
  { type: 'OpenStream', id: '1', proxy: 'echo', visitor, to: visitor, details: { hop: 1, session: 'none', spec: 's' } },
  { type: 'Visit', kind: 'private', of: 'private', visitor, to: visitor },
  { type: 'Visit', kind: 'private', of: 'nothing', visitor, to: visitor, flow: 1, details: { proof: 'x' } },
  { type: 'OpenChannel', id: '1', name: 'rpc', details: { kind: 'calls', session: 'x' } },
  { type: 'OpenChannel', id: '1', name: 'cluster-probe', details: { session: 'none', ms: 10 } },
  { type: 'OpenChannel', id: '1', name: 'cluster-request', details: { request: 'admin', body: {} } },
  { type: 'StreamReady' },
  { type: 'StreamReady', flow: true }
]

const bytesOf = (message: unknown): Uint8Array => encode(message as Message)

/** Frames of yamux, and messages in them, from the end that dialed (odd ids) or the one that accepted. */
export const sessionMessages = (side: 'client' | 'server'): Messages => {
  const ids = side === 'client' ? [3, 5] : [2, 4]
  return [
    frame(WINDOW, side === 'client' ? SYN : ACK, 1, 0),
    ...control.map((message) => data(1, bytesOf(message))),
    ...ids.flatMap((id) => [
      frame(WINDOW, SYN, id, 0),
      ...heads.map((message) => data(id, bytesOf(message), SYN)),
      data(id, Buffer.from('body')),
      data(id, Buffer.from('last'), FIN),
      frame(WINDOW, 0, id, 0xffff_ffff),
      frame(WINDOW, FIN, id, 0),
      frame(WINDOW, RST, id, 0),
      frame(DATA, 0, id, 300_000)
    ]),
    data(1, Buffer.from([0, 0, 0, 0])),
    data(1, Buffer.from('ffffffff', 'hex')),
    data(1, Buffer.alloc(0), FIN),
    frame(WINDOW, RST, 1, 0),
    frame(PING, SYN, 0, 7),
    frame(PING, ACK, 0, 7),
    frame(GOAWAY, 0, 0, 0),
    frame(GOAWAY, 0, 0, 1),
    frame(9, 0, 0, 0),
    frame(DATA, SYN, 0, 0),
    frame(DATA, SYN, side === 'client' ? 2 : 3, 0),
    Buffer.from([1])
  ]
}
