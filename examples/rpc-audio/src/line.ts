import dgram from 'node:dgram'
import { once } from 'node:events'

/** How bad a line is, each way. */
export interface LineQuality {
  /** Milliseconds of the fastest trip, and up to how many come on top. */
  readonly delay: number
  readonly jitter: number
  /** Part of the packets that is lost, 0 to 1. */
  readonly loss: number
}

/** A UDP port of loopback that is a bad line to another one. Packets are delayed each by itself, so they overtake each other. */
export const openLine = async (target: number, quality: LineQuality): Promise<{ port: number; close(): void }> => {
  const [near, far] = [dgram.createSocket('udp4'), dgram.createSocket('udp4')]
  let client = 0
  let closed = false
  const carry = (packet: Buffer, to: dgram.Socket, port: () => number): void => {
    if (Math.random() < quality.loss) return
    const wait = quality.delay + Math.random() * quality.jitter
    setTimeout(() => closed || to.send(packet, port(), '127.0.0.1'), wait)
  }
  near.on('message', (packet, { port }) => {
    client = port
    carry(packet, far, () => target)
  })
  far.on('message', (packet) => carry(packet, near, () => client))
  near.bind(0, '127.0.0.1')
  far.bind(0, '127.0.0.1')
  await Promise.all([once(near, 'listening'), once(far, 'listening')])
  const close = (): void => {
    closed = true
    near.close()
    far.close()
  }
  return { port: near.address().port, close }
}
