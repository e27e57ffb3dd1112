import { RystraError } from '@rystra/plugin'
import { listenError } from '@rystra/net'
import dgram from 'node:dgram'
import net from 'node:net'
import type { HostPort } from './binding.js'

/** Packets in preparation before the kernel's queue is checked. */
const SLOTS = 64

/** Options of a socket. */
export interface UdpOptions extends HostPort {
  /** The only peer: the kernel then reports ICMP errors. */
  readonly connect?: HostPort
  /** Largest packet to send. */
  readonly maxPacket: number
  /** Kernel buffer per direction. */
  readonly buffer: number
}

/** A UDP socket with little cost per packet. */
export class Udp {
  readonly local: HostPort
  onPacket: (packet: Buffer, host: string, port: number) => void = () => {}
  /** An error of the socket: an interface is gone, or ICMP reported an unreachable port. */
  onError: (error: NodeJS.ErrnoException) => void = () => {}
  /** Called when {@link blocked} ends. */
  onDrain: () => void = () => {}
  /** The kernel accepts no more packets. */
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
        // The kernel refuses the size.
      }
    }
    socket.on('message', (packet, { address, port }) => {
      const cut = address.indexOf('%')
      this.onPacket(packet, cut < 0 ? address : address.slice(0, cut), port)
    })
    socket.on('error', (error) => this.onError(error))
  }

  /** Rejects with the system's error. */
  static async open(options: UdpOptions): Promise<Udp> {
    const family = net.isIPv6(options.host) ? 6 : 4
    const socket = dgram.createSocket({
      type: family === 6 ? 'udp6' : 'udp4',
      // Destinations are addresses, never names.
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

  /** Memory for one packet, reused after {@link SLOTS} more calls. */
  slot(): Buffer {
    if (this.#next === SLOTS) this.settle()
    const slot = this.#slots[this.#next] as Buffer
    this.#next += 1
    return slot
  }

  /** Sends the packet in a slot. Failures are reported only with `watch`. */
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

  /** Allows the reuse of slots; those that libuv still holds are replaced. */
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

/** Separate memory, so that libuv retains only the slots it holds. */
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

/** The error of binding, as `listen.*`. */
export const bindError = (cause: Error, { host, port }: HostPort): RystraError => {
  const error = listenError(cause as NodeJS.ErrnoException, host, port)
  return new RystraError(error.code, { detail: error.detail?.replace(/^tcp /, 'udp '), cause })
}
