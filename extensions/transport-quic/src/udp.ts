import { RystraError } from '@rystra/plugin'
import { listenError } from '@rystra/net'
import dgram from 'node:dgram'
import net from 'node:net'
import type { HostPort } from './binding.js'

/** Packets that are made before it is looked whether the kernel took them. */
const SLOTS = 64

/** How a socket is made. */
export interface UdpOptions extends HostPort {
  /** The only one it talks to: then the kernel tells when nobody is there. */
  readonly connect?: HostPort
  /** Bytes of the largest packet sent. */
  readonly maxPacket: number
  /** Bytes the kernel is asked to buffer in each direction. */
  readonly buffer: number
}

/** A UDP socket, as cheap per packet as Node allows. */
export class Udp {
  readonly local: HostPort
  onPacket: (packet: Buffer, host: string, port: number) => void = () => {}
  /** Sending or receiving failed: an interface is gone, or nobody listens at the other end. */
  onError: (error: NodeJS.ErrnoException) => void = () => {}
  /** Called when {@link blocked} is over. */
  onDrain: () => void = () => {}
  /** The kernel takes no more just now. */
  blocked = false

  readonly #socket: dgram.Socket
  readonly #connected: boolean
  readonly #size: number
  readonly #zone: string
  #slots: Buffer[]
  #next = 0
  #closed: Promise<void> | undefined

  private constructor(socket: dgram.Socket, options: UdpOptions) {
    this.#socket = socket
    this.#connected = options.connect !== undefined
    this.#size = options.maxPacket
    this.#slots = slotsOf(this.#size)
    const { address, port } = socket.address()
    const [host = address, zone] = address.split('%')
    this.#zone = zone === undefined ? '' : `%${zone}`
    this.local = { host, port }
    for (const set of ['setRecvBufferSize', 'setSendBufferSize'] as const) {
      try {
        socket[set](options.buffer)
      } catch {
        // The kernel knows best.
      }
    }
    socket.on('message', (packet, { address, port }) => {
      const cut = address.indexOf('%')
      this.onPacket(packet, cut < 0 ? address : address.slice(0, cut), port)
    })
    socket.on('error', (error) => this.onError(error))
  }

  /** Rejects with what the system says. */
  static async open(options: UdpOptions): Promise<Udp> {
    const family = net.isIPv6(options.host) ? 6 : 4
    const socket = dgram.createSocket({
      type: family === 6 ? 'udp6' : 'udp4',
      // Addresses come from packets, never names: nothing is looked up.
      lookup: (host, _options, done) => done(null, host, family)
    })
    try {
      await settled(socket, 'listening', () =>
        socket.bind({ address: options.host, port: options.port, exclusive: true })
      )
      const { connect } = options
      if (connect !== undefined) await settled(socket, 'connect', () => socket.connect(connect.port, connect.host))
    } catch (error) {
      socket.close()
      throw error
    }
    return new Udp(socket, options)
  }

  /** Memory for one packet, until the next call but {@link SLOTS}. */
  slot(): Buffer {
    if (this.#next === SLOTS) this.settle()
    const slot = this.#slots[this.#next] as Buffer
    this.#next += 1
    return slot
  }

  /** Sends what lies in a slot. Only with `watch` a failure is told. */
  send(slot: Buffer, length: number, to: HostPort, watch: boolean): void {
    if (this.#closed !== undefined) return
    const done = watch ? this.#sent : undefined
    if (this.#connected) this.#socket.send(slot, 0, length, done)
    else {
      const host = this.#zone !== '' || to.host.startsWith('fe80:') ? `${to.host}${this.#zone}` : to.host
      this.#socket.send(slot, 0, length, to.port, host, done)
    }
  }

  readonly #sent = (error: Error | null): void => {
    if (error !== null) this.onError(error as NodeJS.ErrnoException)
  }

  /** Slots may be used again, unless libuv still holds some of them: then they are left to it. */
  settle(): void {
    this.#next = 0
    if (this.#closed !== undefined || this.#socket.getSendQueueCount() === 0) return
    this.#slots = slotsOf(this.#size)
    if (this.blocked) return
    this.blocked = true
    this.#wait()
  }

  #wait(): void {
    setTimeout(() => {
      if (this.#closed !== undefined) return
      if (this.#socket.getSendQueueCount() > 0) this.#wait()
      else {
        this.blocked = false
        this.onDrain()
      }
    }, 1)
  }

  close(): Promise<void> {
    this.#closed ??= new Promise((resolve) => this.#socket.close(() => resolve()))
    return this.#closed
  }

  unref(): void {
    this.#socket.unref()
  }
}

/** Own memory for each, so that one that libuv holds keeps no others. */
const slotsOf = (size: number): Buffer[] => Array.from({ length: SLOTS }, () => Buffer.allocUnsafeSlow(size))

const settled = (socket: dgram.Socket, event: 'listening' | 'connect', begin: () => void): Promise<void> =>
  new Promise((resolve, reject) => {
    const failed = (error: Error): void => {
      socket.off(event, done)
      reject(error)
    }
    const done = (): void => {
      socket.off('error', failed)
      resolve()
    }
    socket.once('error', failed)
    socket.once(event, done)
    try {
      begin()
    } catch (error) {
      failed(error as Error)
    }
  })

/** What binding failed with, as `listen.*`. */
export const bindError = (cause: Error, { host, port }: HostPort): RystraError => {
  const error = listenError(cause as NodeJS.ErrnoException, host, port)
  return new RystraError(error.code, { detail: error.detail?.replace(/^tcp /, 'udp '), cause })
}
