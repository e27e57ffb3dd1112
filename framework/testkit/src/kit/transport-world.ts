import { SharedPorts } from '@rystra/net'
import type { Address, DialOptions, Link, Listener, ListenOptions, Transport } from '@rystra/plugin'
import type { Duplex } from 'node:stream'
import { type Hop, type Mute, tcpHop, tcpMute, udpHop, udpMute } from './hop.js'
import { echo, LinkEnd, openStream, ownStream } from './link-end.js'
import type { Linked } from './linked.js'
import type { Scope } from './scope.js'
import { type Maker, make } from './subject.js'
import { Inbox, send } from './streams.js'

/** A transport under test. */
export interface TransportSubject {
  /** The extension with its options, or what makes the transport. */
  readonly transport: Maker<Transport>
  /** Which one, where the extension registers several. @default the only one */
  readonly name?: string
  /** Where it listens. @default '127.0.0.1' */
  readonly host?: string
  /** Makes addresses for a transport of `addressing: 'name'`, another one each time. */
  readonly address?: () => string
  /** Fields of `server.listen` beside transport, host and port. */
  readonly listen?: Readonly<Record<string, unknown>>
  /** Fields of `client.connect` beside transport, host and port. */
  readonly dial?: Readonly<Record<string, unknown>>
  /** What its links carry: `streams` if it multiplexes by itself. @default 'bytes' */
  readonly links?: Link['kind']
  /** Whether its links of streams carry messages beside them. @default false */
  readonly datagrams?: boolean
  /** Whether its links are encrypted. @default false */
  readonly secure?: boolean
  /** What it goes over: raw peers come there, and links are cut there. @default 'tcp' */
  readonly network?: 'tcp' | 'udp' | 'other'
  /** Opens a connection that does not speak the transport. @default over `network`; on another one it dials a link */
  connectRaw?(address: Address): Promise<Duplex> | Duplex
  /** Loses every link that is up, as a network does that fails. Needed for streams on another network than TCP and UDP. */
  cut?(): void
  /** Bytes that one stream may take for a reader that does not read, over all buffers. @default 16777216 */
  readonly maxBuffered?: number
}

/** A listener, and what has come to it. */
export interface Listening {
  readonly listener: Listener
  readonly links: LinkEnd[]
  /** Called in the turn in which a link has come. */
  onLink: ((end: LinkEnd) => void) | undefined
}

/** A link from both sides, and a stream on it: for a link of bytes the link itself. */
export interface Joined {
  readonly client: LinkEnd
  readonly server: LinkEnd
  /** The stream at the end that dialed. */
  readonly near: Duplex
  /** The stream at the end that listened. */
  readonly far: Duplex
}

/** What the cases of the transport kit work with. */
export class TransportWorld {
  /** Ports that several transports may share. */
  readonly host = new SharedPorts()

  private constructor(
    readonly subject: TransportSubject,
    readonly server: Transport,
    readonly client: Transport,
    readonly scope: Scope
  ) {}

  static async open(subject: TransportSubject, scope: Scope): Promise<TransportWorld> {
    const server = await make(subject.transport, 'transports', 'server', scope, subject.name)
    const client = await make(subject.transport, 'transports', 'client', scope, subject.name)
    return new TransportWorld(subject, server, client, scope)
  }

  /** @param at where another listened. @default any address that is free */
  listenOptions(at?: Address): ListenOptions {
    const { host = '127.0.0.1', listen, address } = this.subject
    const named = at?.name ?? address?.()
    const name = named === undefined ? {} : { address: named }
    return { ...listen, transport: this.server.name, host, port: at?.port ?? 0, ...name }
  }

  dialOptions({ host, port, name }: Address): DialOptions {
    const address = name === undefined ? {} : { address: name }
    return { ...this.subject.dial, transport: this.client.name, host, port, ...address }
  }

  async listen(at?: Address, signal = this.scope.signal): Promise<Listening> {
    const links: LinkEnd[] = []
    const take = (link: Link): void => {
      const end = new LinkEnd(link)
      this.scope.defer(() => end.drop())
      links.push(end)
      listening.onLink?.(end)
    }
    const listening: Omit<Listening, 'listener'> = { links, onLink: undefined }
    const listener = await this.scope.wait(
      this.server.listen(this.listenOptions(at), take, signal, this.host),
      'listen()'
    )
    this.scope.defer(() => listener.close())
    return Object.assign(listening, { listener })
  }

  async dial(to: Address, signal = this.scope.signal): Promise<LinkEnd> {
    const dialed = this.client.dial(this.dialOptions(to), signal).then((link) => new LinkEnd(link))
    const end = await this.scope.wait(dialed, 'dial()')
    this.scope.defer(() => end.drop())
    return end
  }

  /** A dial that should fail; if it does not, its link does no harm. */
  tryDial(to: Address, signal = this.scope.signal): Promise<LinkEnd> {
    const dialed = this.client.dial(this.dialOptions(to), signal).then((link) => {
      const end = new LinkEnd(link)
      this.scope.defer(() => end.drop())
      return end
    })
    return this.scope.wait(dialed, 'dial() to settle')
  }

  /** Dials, and finds the other end. One at a time. */
  async join(to: Listening, by = to.listener.address): Promise<Joined> {
    const { client, server } = await this.link(to, by)
    const [near, far] = await openStream(this.scope, client, server)
    return { client, server, near, far }
  }

  /** A listener and a link to it. */
  async joined(): Promise<Joined> {
    return this.join(await this.listen())
  }

  /** Both ends of a new link of streams. @param cuttable it can be cut */
  async linked(cuttable = false): Promise<Linked> {
    const { scope, subject } = this
    const to = await this.listen()
    const hop = cuttable ? await this.#cuttable(to.listener.address) : undefined
    const { client, server } = await this.link(to, hop?.address ?? to.listener.address)
    const end = (side: 'server' | 'client'): LinkEnd => (side === 'server' ? server : client)
    return {
      client,
      server,
      scope,
      maxBuffered: subject.maxBuffered ?? 16 * 1_048_576,
      end,
      open: (side = 'server') => openStream(scope, end(side), end(side === 'server' ? 'client' : 'server')),
      cut: () => hop?.cut()
    }
  }

  async link(to: Listening, by: Address): Promise<{ client: LinkEnd; server: LinkEnd }> {
    const before = to.links.length
    const client = await this.dial(by)
    await this.scope.until(() => to.links.length > before, 'the link at the listener')
    return { client, server: to.links[before] as LinkEnd }
  }

  /** A new link to a listener whose other links may be of other connections: what goes there comes back. */
  async works(to: Listening): Promise<void> {
    to.onLink = echo
    const client = await this.dial(to.listener.address)
    const stream = await this.scope.wait(ownStream(client), 'open()')
    const box = new Inbox(stream, 77)
    send(stream, 77, 10_000)
    await box.cameWhole(this.scope, 10_000, 'a new link')
    to.onLink = undefined
    client.drop()
  }

  /** A hop in front of a listener. */
  hop(to: Address, seen?: (bytes: Buffer) => void): Promise<Hop> {
    return (this.subject.network === 'udp' ? udpHop : tcpHop)(this.scope, to, seen)
  }

  /** An address that never answers. */
  mute(): Promise<Mute> {
    return (this.subject.network === 'udp' ? udpMute : tcpMute)(this.scope)
  }

  #cuttable(to: Address): Promise<Hop> | Hop {
    const { subject } = this
    if (subject.cut !== undefined) return { address: to, cut: () => subject.cut?.() }
    if (subject.network === 'other') throw new TypeError('a transport of streams on another network needs `cut`')
    return this.hop(to)
  }
}
