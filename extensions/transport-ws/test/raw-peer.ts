import { once } from 'node:events'
import net from 'node:net'
import { later } from './setup.js'

/** A frame as its sender pleases. */
export interface FrameOptions {
  readonly opcode?: number
  readonly fin?: boolean
  readonly reserved?: number
  readonly masked?: boolean
  /** What the header says, whatever follows. */
  readonly length?: bigint
}

export const frame = (payload: Buffer | string, options: FrameOptions = {}): Buffer => {
  const { opcode = 2, fin = true, reserved = 0, masked = true } = options
  const bytes = Buffer.from(payload as string)
  const length = options.length ?? BigInt(bytes.length)
  const head = Buffer.alloc(length < 126n ? 2 : length < 65_536n ? 4 : 10)
  head[0] = (fin ? 0x80 : 0) | (reserved << 4) | opcode
  const bit = masked ? 0x80 : 0
  if (length < 126n) head[1] = bit | Number(length)
  else if (length < 65_536n) {
    head[1] = bit | 126
    head.writeUInt16BE(Number(length), 2)
  } else {
    head[1] = bit | 127
    head.writeBigUInt64BE(length, 2)
  }
  const key = Buffer.from([7, 0, 200, 13])
  if (!masked) return Buffer.concat([head, bytes])
  return Buffer.concat([head, key, bytes.map((byte, at) => byte ^ (key[at & 3] as number))])
}

export const request = (headers: Readonly<Record<string, string>> = {}, target = '/rystra'): string => {
  const all = {
    Host: 'localhost',
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    'Sec-WebSocket-Protocol': 'rystra.1',
    ...headers
  }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}`)
  return [`GET ${target} HTTP/1.1`, ...lines, '', ''].join('\r\n')
}

/** What `request` is accepted with. */
export const accepted = [
  'HTTP/1.1 101 Switching Protocols',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Protocol: rystra.1'
]

/** A client that has shaken hands, and keeps what comes. */
export class RawPeer {
  came = Buffer.alloc(0)
  over = false

  private constructor(readonly socket: net.Socket) {
    socket.on('data', (chunk: Buffer) => {
      this.came = Buffer.concat([this.came, chunk])
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      this.over = true
    })
    socket.on('end', () => {
      this.over = true
    })
  }

  static async open(port: number): Promise<RawPeer> {
    const socket = net.connect(port, '127.0.0.1')
    later(() => socket.destroy())
    await once(socket, 'connect')
    socket.write(request())
    const peer = new RawPeer(socket)
    while (!peer.came.includes('\r\n\r\n')) await once(socket, 'data')
    if (!peer.came.toString('latin1').startsWith('HTTP/1.1 101')) throw new Error(String(peer.came))
    peer.came = peer.came.subarray(peer.came.indexOf('\r\n\r\n') + 4)
    return peer
  }

  /** The code of the close frame that came last. */
  get closeCode(): number | undefined {
    const at = this.came.lastIndexOf(Buffer.from([0x88, 0x02]))
    return at < 0 ? undefined : this.came.readUInt16BE(at + 2)
  }
}
