import { rawOf } from '@rystra/bytes'
import { BatchedLink, isTlsTaken, type LinkEvents, nativeStatus, type NoticedTls } from '@rystra/native'
import { expect } from 'chai'
import type net from 'node:net'
import type { TLSSocket } from 'node:tls'
import { HandshakeWorld } from './handshake-world.js'
import { RecordPeer } from './record-peer.js'
import { certificates, until } from './world.js'

/** A frame of yamux of a stream that is not joined: it goes to JavaScript. */
export const frame = (payload: Buffer | string): Buffer => {
  const bytes = Buffer.from(payload)
  const head = Buffer.alloc(12)
  head.writeUInt32BE(7, 4)
  head.writeUInt32BE(bytes.length, 8)
  return Buffer.concat([head, bytes])
}

/** What came through a link of the native part. */
export class Taken implements Partial<LinkEvents> {
  readonly chunks: Buffer[] = []
  ended = false
  lost: number | undefined
  reason = ''
  writable = 0
  link: BatchedLink | undefined

  get bytes(): Buffer {
    return Buffer.concat(this.chunks)
  }
  onFrames(memory: Buffer, start: number, end: number): boolean {
    this.chunks.push(Buffer.from(memory.subarray(start, end)))
    return false
  }
  onEnd(): void {
    this.ended = true
  }
  onLost(errno: number): void {
    this.lost = errno
    this.reason = this.link?.reason ?? ''
  }
  onWritable(): void {
    this.writable++
  }
}

export const noticed = Symbol.for('rystra.noticedTls')
export const noticedOf = (socket: TLSSocket): NoticedTls =>
  (socket as unknown as Record<symbol, NoticedTls>)[noticed] as NoticedTls

/** What Node counts below TLS. */
export const counts = (tcp: net.Socket): { bytesRead: number; bytesWritten: number } =>
  (tcp as unknown as { _handle: { bytesRead: number; bytesWritten: number } })._handle

const limits = { frameSize: 65_536, maxWindow: 1 << 24, maxBuffer: 1 << 26 }

/** {@link HandshakeWorld} with connections that the native part takes over. */
export class TakenWorld extends HandshakeWorld {
  take(socket: TLSSocket): Taken | undefined {
    const detached = rawOf(socket).detach?.(true)
    if (detached === undefined) return undefined
    const taken = new Taken()
    const link = BatchedLink.open(detached.fd, limits, () => Buffer.allocUnsafeSlow(1 << 20), undefined, detached.tls)
    taken.link = link
    if (link === undefined) {
      detached.attach()
      return undefined
    }
    this.later(() => {
      link.close(true)
      link.forget()
    })
    link.start(taken as unknown as LinkEvents, detached.pending)
    return taken
  }

  must(socket: TLSSocket): Taken & { link: BatchedLink } {
    const taken = this.take(socket)
    if (taken?.link === undefined) throw new Error('it was not taken')
    expect(isTlsTaken(socket)).to.equal(true)
    return taken as Taken & { link: BatchedLink }
  }

  /** A server whose end is not taken yet, and the peer that makes records. */
  async ends() {
    const { port, came, connections } = await this.serve(this.pair('server', (await certificates()).good))
    const peer = await RecordPeer.over(await this.bare(port), {})
    await until(() => came.length === 1, 'the handshake')
    return { peer, socket: came[0]?.socket as TLSSocket, tcp: connections[0] as net.Socket }
  }

  async served() {
    const ends = await this.ends()
    return { ...ends, taken: this.must(ends.socket) }
  }
}

export const text = (taken: Taken): Promise<void> => until(() => taken.bytes.length > 0, 'a frame')

/** Leaves the cases out without the native part. */
export const needsNative = (): void => {
  before(function () {
    if (!nativeStatus().used) this.skip()
  })
}
