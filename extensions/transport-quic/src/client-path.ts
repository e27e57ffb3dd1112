import { background, type Logger, RystraError } from '@rystra/plugin'
import type { ClientTls } from '@rystra/tls'
import net from 'node:net'
import { performance } from 'node:perf_hooks'
import type { HostPort, Quiche, QuicheConfig } from './binding.js'
import { contain } from './contain.js'
import { leafOf } from './errors.js'
import { QuicLink } from './link.js'
import type { HostedLink, LinkHost } from './link-host.js'
import type { QuicOptions } from './options.js'
import { newId } from './packet.js'
import { probeToken } from './remote.js'
import type { SocketDrops } from './socket-drops.js'
import type { Ticket } from './tickets.js'
import { Turns } from './turns.js'
import { Udp } from './udp.js'

/** Time for which the previous socket stays open after a rebind, for packets in flight. */
const OLD_SOCKET_MS = 5000

/** Consecutive ICMP refusals that end a link: a single one is easily forged. */
const MAX_REFUSALS = 3

/** What a dialed link needs. */
export interface Target {
  readonly quiche: Quiche
  readonly config: QuicheConfig
  readonly tls: ClientTls
  readonly address: string
  readonly port: number
  readonly ticket: Ticket | undefined
  readonly options: QuicOptions
  readonly log: Logger
  readonly drops: SocketDrops
  onReady(link: QuicLink): void
  onTicket(ticket: Ticket): void
  /** Called once. `confirmed`: whether the handshake was complete. */
  onGone(error: Error | undefined, confirmed: boolean): void
}

/** The client side of a link: it replaces its socket when the network changes, and detects silence. */
export class ClientPath implements LinkHost {
  readonly side = 'client'
  readonly link: QuicLink
  readonly #target: Target
  readonly #turns = new Turns<HostedLink>((link) => contain(link, this.log, () => link.turn()))
  readonly #old = new Set<Udp>()
  readonly #remote: HostPort
  #udp: Udp
  #watch: NodeJS.Timeout | undefined
  #lastHeard = performance.now()
  /** Since when an answer is outstanding. */
  #since: number | undefined
  #tries = 0
  #pinged = false
  #refusals = 0
  #moving = false
  #kept = false
  #confirmed = false

  private constructor(target: Target, udp: Udp) {
    this.#target = target
    this.#udp = this.#take(udp)
    const { quiche, address, port, tls, config, ticket } = target
    // The socket is connected: the kernel drops packets of other peers. quiche does not know zones (`fe80::1%eth0`).
    this.#remote = { host: address.split('%')[0] as string, port }
    const connection = quiche.Connection.connect(tls.serverName ?? null, newId(), udp.local, this.#remote, config)
    if (ticket !== undefined) connection.setSession(ticket.session)
    this.#turns.onEnd = () => this.#udp.settle()
    this.link = new QuicLink(this, connection, this.#remote, udp.local)
    const { keepAlive, rebindAfter } = target.options
    const period = Math.min(1000, Math.max(25, Math.min(keepAlive, rebindAfter) / 4))
    this.#watch = setInterval(() => this.#checkSilence(), period).unref()
    // The ClientHello is sent now: quiche then reports whether early data may follow.
    this.link.turn()
    this.link.wake()
  }

  /** Opens a socket and sends the first packet. Rejects with the system's error. */
  static async open(target: Target): Promise<ClientPath> {
    return new ClientPath(target, await ClientPath.#bind(target))
  }

  static async #bind({ address, port, options, log, drops }: Target): Promise<Udp> {
    const host = net.isIPv6(address) ? '::' : '0.0.0.0'
    const connect = { host: address, port }
    const { maxPacket, socketBuffer: buffer, native } = options
    const udp = await Udp.open({ host, port: 0, connect, maxPacket, buffer, native, drops })
    log.debug({ native: udp.native, port: udp.local.port }, 'quic: dialing')
    return udp
  }

  /** The current local address. */
  get local(): HostPort {
    return this.#udp.local
  }

  #take(udp: Udp): Udp {
    udp.onPacket = (packet) => {
      this.#refusals = 0
      const probe = probeToken(packet)
      // The answer is encrypted, so the probe may be in plain text.
      contain(this.link, this.log, () => {
        if (probe !== undefined) this.link.datagrams.arrived(probe)
        else this.link.receive(packet, this.#remote.host, this.#remote.port)
      })
    }
    udp.onError = (error) => this.#failed(error, udp)
    udp.onDrain = () => this.link.wake()
    return udp
  }

  // LinkHost

  get options(): QuicOptions {
    return this.#target.options
  }

  get log(): Logger {
    return this.#target.log
  }

  get blocked(): boolean {
    return this.#udp.blocked
  }

  get early(): boolean {
    return this.#target.ticket !== undefined
  }

  wake(link: HostedLink): void {
    if (!this.#udp.blocked) this.#turns.wake(link)
  }

  slot(size: number): Buffer {
    return this.#udp.slot(size)
  }

  send(slot: Buffer, length: number, to: HostPort, watch: boolean): void {
    this.#udp.send(slot, length, to, watch)
  }

  sendPlain(): void {}

  verify(link: HostedLink): Uint8Array {
    const leaf = leafOf(link.connection)
    if (leaf === undefined) {
      throw new RystraError('tls.untrusted', { side: 'client', detail: `${link.where}, no server certificate` })
    }
    this.#target.tls.checkCertificate(leaf)
    return leaf.raw
  }

  ready(): void {
    this.#target.onReady(this.link)
  }

  confirmed(): void {
    this.#confirmed = true
  }

  gone(_link: HostedLink, error: Error | undefined): void {
    clearInterval(this.#watch)
    this.#keepTicket()
    for (const udp of [this.#udp, ...this.#old]) this.#close(udp)
    this.#old.clear()
    this.#target.onGone(error === undefined ? undefined : this.#refine(error), this.#confirmed)
  }

  /** Replaces the error of a TLS alert by the more specific one of the certificate. */
  #refine(error: Error): Error {
    const leaf = (error as { code?: string }).code === 'tls.untrusted' ? leafOf(this.link.connection) : undefined
    if (leaf === undefined) return error
    try {
      this.#target.tls.checkCertificate(leaf)
      return error
    } catch (specific) {
      return specific as Error
    }
  }

  // Watching

  #checkSilence(): void {
    const { link } = this
    this.#keepTicket()
    const now = performance.now()
    if (link.heard) {
      link.heard = false
      this.#lastHeard = now
      this.#since = undefined
      this.#tries = 0
      this.#pinged = false
    }
    if (!this.#confirmed) return
    const silence = now - this.#lastHeard
    const { keepAlive, rebindAfter } = this.options
    // A client that only receives does not notice that its NAT mapping is gone.
    const stopped = link.active && silence >= rebindAfter / 3
    if (stopped || (silence >= keepAlive && !this.#pinged) || this.#refusals > 0) {
      this.#pinged ||= !stopped
      link.active = false
      link.ping()
    }
    if (!link.waiting) this.#since = undefined
    else this.#since ??= now
    // Silence counts only while an answer is outstanding.
    if (Math.min(silence, now - (this.#since ?? now)) >= rebindAfter * 2 ** this.#tries) {
      this.#tries += 1
      this.#rebindLater()
    }
  }

  #keepTicket(): void {
    if (this.#kept || !this.#confirmed) return
    const { connection } = this.link
    const session = connection.session()
    const leaf = connection.peerCertChain()?.[0]
    if (session === null || leaf === undefined) return
    this.#kept = true
    this.#target.onTicket({ session, leaf, address: this.#target.address })
  }

  /** Continues from another local port. Lost packets are retransmitted. */
  async rebind(): Promise<void> {
    if (this.#moving || this.link.closed) return
    this.#moving = true
    try {
      const udp = await ClientPath.#bind(this.#target)
      if (this.link.closed) this.#close(udp)
      else this.#move(udp)
    } catch (error) {
      this.log.debug({ err: error }, 'quic: cannot open another socket')
    } finally {
      this.#moving = false
    }
  }

  #rebindLater(): void {
    background(this.rebind(), this.log, 'quic: the path was not moved')
  }

  #close(udp: Udp): void {
    background(udp.close(), this.log, 'quic: a socket was not closed')
  }

  #move(udp: Udp): void {
    const before = this.#udp
    this.#udp = this.#take(udp)
    this.#old.add(before)
    setTimeout(() => {
      this.#old.delete(before)
      this.#close(before)
    }, OLD_SOCKET_MS).unref()
    this.log.debug({ port: udp.local.port }, 'quic: rebound to another port')
    this.link.moved()
  }

  #failed(error: NodeJS.ErrnoException, udp: Udp): void {
    if (udp !== this.#udp || this.link.closed) return
    if (error.code === 'EMSGSIZE') this.link.mtu.shrink()
    else if (error.code !== 'ECONNREFUSED') {
      if (this.#confirmed) this.#rebindLater()
      else this.link.drop(this.#unreachable(error.code ?? error.message, error))
    } else if (!this.#confirmed) this.link.drop(this.#unreachable('connection refused', error))
    else {
      this.#refusals += 1
      if (this.#refusals >= MAX_REFUSALS)
        this.link.drop(new RystraError('session.lost', { detail: 'connection refused', cause: error }))
    }
  }

  #unreachable(detail: string, cause: Error): RystraError {
    return new RystraError('connect.unreachable', { detail: `${this.link.where}, ${detail}`, cause })
  }
}
