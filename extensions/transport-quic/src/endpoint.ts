import { background, type Address, type Logger, type StreamLink } from '@rystra/plugin'
import type { ServerTls } from '@rystra/tls'
import { randomBytes } from 'node:crypto'
import type { HostPort, Quiche, QuicheConfig } from './binding.js'
import { checkClient, Revocations } from './client-certificate.js'
import { serverConfig } from './config.js'
import { ALERT, CONNECTION_REFUSED } from './errors.js'
import { contain } from './contain.js'
import { type Admission, Gate } from './gate.js'
import { QuicLink } from './link.js'
import type { HostedLink, LinkHost } from './link-host.js'
import type { QuicOptions } from './options.js'
import { ID_BYTES, newId } from './packet.js'
import type { SocketDrops } from './socket-drops.js'
import { Turns } from './turns.js'
import { bindError, Udp } from './udp.js'

/** A listener at an endpoint. */
export interface Serving {
  readonly tls: ServerTls
  readonly options: QuicOptions
  readonly log: Logger
  readonly drops: SocketDrops
  readonly onLink: (link: StreamLink) => void
}

/** Offset of the destination connection id, RFC 8999. */
const SHORT_AT = 1
const LONG_AT = 6

const keyOf = (id: Uint8Array): string => Buffer.from(id).toString('latin1')

/** Endpoints whose listener is closed while links go on: a new listener on the address takes them over. */
const lingering = new Map<string, Endpoint>()

/** A UDP socket and its links, told apart by connection ids. */
export class Endpoint implements LinkHost {
  readonly side = 'server'
  readonly #quiche: Quiche
  readonly #udp: Udp
  readonly #turns = new Turns<HostedLink>((link) => contain(link, this.log, () => link.turn()))
  readonly #routes = new Map<string, QuicLink>()
  readonly #keys = new Map<HostedLink, Set<string>>()
  readonly #stuck = new Set<HostedLink>()
  readonly #gate: Gate
  #serving: Serving
  #config!: QuicheConfig
  #revocations: Revocations | undefined
  #ticketKey = randomBytes(48)
  #closing = false

  private constructor(quiche: Quiche, udp: Udp, serving: Serving) {
    this.#quiche = quiche
    this.#udp = udp
    this.#serving = serving
    const { retryAbove, maxHandshakes } = serving.options
    this.#gate = new Gate(quiche, {
      retryAbove,
      maxHandshakes,
      reply: (packet, host, port) => this.#reply(packet, host, port)
    })
    udp.onPacket = (packet, host, port) => this.#packet(packet, host, port)
    udp.onError = (error) => this.log.debug({ err: error }, 'quic: the socket failed')
    udp.onDrain = () => {
      const stuck = [...this.#stuck]
      this.#stuck.clear()
      for (const link of stuck) this.#turns.wake(link)
    }
    this.#turns.onEnd = () => udp.settle()
    this.configure()
  }

  /** Binds, or takes over a lingering endpoint. Rejects with `listen.*`. */
  static async open(quiche: Quiche, address: Address, serving: Serving): Promise<Endpoint> {
    const existing = lingering.get(`${address.host}|${address.port}`)
    if (existing !== undefined) {
      existing.#adopt(serving)
      return existing
    }
    const { maxPacket, socketBuffer, native } = serving.options
    const { host, port } = address
    const to = { host: host === '' ? '::' : host, port, maxPacket, buffer: socketBuffer, native, drops: serving.drops }
    const udp = await Udp.open(to).catch((error: Error) => {
      throw bindError(error, address)
    })
    serving.log.debug({ native: udp.native, port: udp.local.port }, 'quic: listening')
    return new Endpoint(quiche, udp, serving)
  }

  get address(): HostPort {
    return this.#udp.local
  }

  get options(): QuicOptions {
    return this.#serving.options
  }

  get log(): Logger {
    return this.#serving.log
  }

  /** Links, including handshakes. */
  get links(): number {
    return this.#keys.size
  }

  get handshakes(): number {
    return this.#gate.handshakes
  }

  /** Applies reloaded files to new links. */
  configure(): void {
    const { tls, options } = this.#serving
    // Tickets of the previous trust must not be accepted.
    if (tls.clientCert !== 'none') this.#ticketKey = randomBytes(48)
    this.#config = serverConfig(this.#quiche, tls, options, this.#ticketKey)
    this.#revocations = tls.pem.crl === undefined ? undefined : new Revocations(tls.pem.crl)
  }

  #adopt(serving: Serving): void {
    this.#serving = serving
    this.#closing = false
    this.configure()
    for (const [place, endpoint] of lingering) if (endpoint === this) lingering.delete(place)
  }

  /** Stops accepting. The socket is closed with the last link. */
  async close(host: string): Promise<void> {
    if (this.#closing) return
    this.#closing = true
    for (const link of this.#keys.keys()) if (!link.handedOut) link.leave(0, undefined)
    if (this.#keys.size === 0) return this.#udp.close()
    for (const name of new Set([host, this.address.host])) lingering.set(`${name}|${this.address.port}`, this)
  }

  // Packets

  #packet(packet: Buffer, host: string, port: number): void {
    const length = packet.length
    const long = ((packet[0] as number) & 0x80) !== 0
    const at = long ? LONG_AT : SHORT_AT
    const size = long ? (packet[5] as number) : ID_BYTES
    if (length < at + size + 1) return
    const key = packet.toString('latin1', at, at + size)
    const link = this.#routes.get(key)
    if (link !== undefined) {
      contain(link, this.log, () => link.receive(packet, host, port))
      return
    }
    const admission = this.#gate.decide(packet, host, port)
    if (admission !== undefined) this.#accept(packet, key, { host, port }, admission)
  }

  #accept(packet: Buffer, key: string, peer: HostPort, { retryId, originalId }: Admission): void {
    const id = retryId ?? newId()
    const connection = this.#quiche.Connection.accept(id, originalId, this.#udp.local, peer, this.#config)
    const link = new QuicLink(this, connection, peer, this.#udp.local)
    this.#keys.set(link, new Set())
    this.#route(link, keyOf(id))
    this.#route(link, key)
    this.#gate.enter(link, peer.host)
    contain(link, this.log, () => link.receive(packet, peer.host, peer.port))
    const error = connection.localError()
    // Undecryptable packets get no answer. An invalid ClientHello does: its sender needs the reason.
    if (error !== null && error.errorCode < ALERT) link.drop()
    else if (this.#closing) {
      connection.close(false, CONNECTION_REFUSED, Buffer.alloc(0))
      link.turn()
      link.drop()
    }
  }

  #reply(packet: Buffer, host: string, port: number): void {
    if (this.#udp.blocked) return
    const slot = this.#udp.slot(packet.length)
    packet.copy(slot)
    this.#udp.send(slot, packet.length, { host, port }, false)
  }

  #route(link: QuicLink, key: string): void {
    // A connection id is never taken over by another link.
    if (this.#routes.has(key)) return
    this.#routes.set(key, link)
    this.#keys.get(link)?.add(key)
  }

  // LinkHost

  get blocked(): boolean {
    return this.#udp.blocked
  }

  get early(): boolean {
    return this.options.earlyData && this.#serving.tls.clientCert === 'none'
  }

  wake(link: HostedLink): void {
    if (this.#udp.blocked) this.#stuck.add(link)
    else this.#turns.wake(link)
  }

  slot(size: number): Buffer {
    return this.#udp.slot(size)
  }

  send(slot: Buffer, length: number, to: HostPort, watch: boolean): void {
    this.#udp.send(slot, length, to, watch)
  }

  verify(link: HostedLink): Uint8Array | undefined {
    return checkClient(link, this.#serving.tls, this.#revocations)
  }

  ready(link: HostedLink): void {
    if (this.#closing) link.leave(0, undefined)
    else this.#serving.onLink(link)
  }

  confirmed(link: HostedLink): void {
    this.#gate.leave(link, true)
  }

  sendPlain(packet: Buffer, { host, port }: HostPort): void {
    this.#reply(packet, host, port)
  }

  gone(link: HostedLink, error: Error | undefined): void {
    for (const key of this.#keys.get(link) ?? []) this.#routes.delete(key)
    this.#keys.delete(link)
    this.#stuck.delete(link)
    this.#gate.leave(link, false)
    if (error !== undefined && !link.handedOut)
      this.log.debug({ err: error, peer: link.peer.address }, 'quic: handshake failed')
    if (this.#closing && this.#keys.size === 0) {
      for (const [place, endpoint] of lingering) if (endpoint === this) lingering.delete(place)
      background(this.#udp.close(), this.log, 'quic: a socket was not closed')
    }
  }
}
