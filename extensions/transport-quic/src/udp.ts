import { RystraError } from '@rystra/plugin'
import { BatchedUdp, kernelDrops } from '@rystra/native'
import { listenError } from '@rystra/net'
import dgram from 'node:dgram'
import net from 'node:net'
import type { HostPort } from './binding.js'
import type { SocketDrops } from './socket-drops.js'

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
  /** Whether the native part is used where there is one. */
  readonly native: boolean
  /** Counts what it had no room for. */
  readonly drops: SocketDrops
}

/** A UDP socket with little cost per packet. */
export class Udp {
  readonly local: HostPort
  onPacket: (packet: Buffer, host: string, port: number) => void = () => {}
  /** An error of the socket: an interface is gone, or ICMP reported an unreachable port. */
  onError: (error: NodeJS.ErrnoException) => void = () => {}
  /** Called when {@link blocked} ends. */
  onDrain: () => void = () => {}
  readonly #socket: dgram.Socket
  readonly #connected: boolean
  readonly #size: number
  readonly #zone: string
  readonly #batched: BatchedUdp | undefined
  readonly #counted: SocketDrops
  #slots: Buffer[]
  #blocked = false
  #next = 0
  #closed: Promise<void> | undefined

  private constructor(socket: dgram.Socket, options: UdpOptions) {
    this.#socket = socket
    this.#connected = options.connect !== undefined
    this.#size = options.maxPacket
    this.#counted = options.drops
    this.#counted.add(this)
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
    const onDatagram = (packet: Buffer, address: string, port: number): void => {
      const cut = address.indexOf('%')
      this.onPacket(packet, cut < 0 ? address : address.slice(0, cut), port)
    }
    const onError = (error: NodeJS.ErrnoException): void => this.onError(error)
    socket.on('error', onError)
    if (options.native) {
      this.#batched = BatchedUdp.attach(socket, { onDatagram, onError, onDrain: () => this.onDrain() })
    }
    this.#slots = this.#batched === undefined ? slotsOf(this.#size) : []
    if (this.#batched === undefined) {
      socket.on('message', (packet, { address, port }) => onDatagram(packet, address, port))
    }
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

  /** Packets for which the receive buffer had no room. */
  get drops(): number {
    return kernelDrops(this.#socket)
  }

  /** Whether packets are sent and received in batches by the native part. */
  get native(): boolean {
    return this.#batched !== undefined
  }

  /** The kernel accepts no more packets. */
  get blocked(): boolean {
    return this.#batched?.blocked ?? this.#blocked
  }

  /** Memory for one packet, to be sent or given up before the next one. */
  slot(size: number): Buffer {
    if (this.#batched !== undefined) return this.#batched.slot(size)
    if (this.#next === SLOTS) this.settle()
    const slot = this.#slots[this.#next] as Buffer
    this.#next += 1
    return slot.length === size ? slot : slot.subarray(0, size)
  }

  /** Sends the packet in a slot. Failures are reported only with `watch`. */
  send(slot: Buffer, length: number, to: HostPort, watch: boolean): void {
    if (this.#closed !== undefined) return
    const done = watch ? this.#sent : undefined
    const port = this.#connected ? undefined : to.port
    const host = this.#zone !== '' || to.host.startsWith('fe80:') ? `${to.host}${this.#zone}` : to.host
    if (this.#batched !== undefined) this.#batched.send(length, port, host, watch)
    else if (port === undefined) this.#socket.send(slot, 0, length, done)
    else this.#socket.send(slot, 0, length, port, host, done)
  }

  readonly #sent = (error: Error | null): void => {
    if (error !== null) this.onError(error as NodeJS.ErrnoException)
  }

  /** Sends what is gathered, and allows the reuse of slots; those that libuv still holds are replaced. */
  settle(): void {
    if (this.#batched !== undefined) {
      this.#batched.flush()
      return
    }
    this.#next = 0
    if (this.#closed !== undefined || this.#socket.getSendQueueCount() === 0) return
    this.#slots = slotsOf(this.#size)
    if (this.#blocked) return
    this.#blocked = true
    this.#wait()
  }

  #wait(): void {
    setTimeout(() => {
      if (this.#closed !== undefined) return
      if (this.#socket.getSendQueueCount() > 0) this.#wait()
      else {
        this.#blocked = false
        this.onDrain()
      }
    }, 1)
  }

  close(): Promise<void> {
    this.#closed ??= new Promise((resolve) => {
      this.#counted.remove(this)
      this.#batched?.close()
      this.#socket.close(() => resolve())
    })
    return this.#closed
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
