import type { Address, DialOptions, Link, Listener, ListenOptions, Transport } from '@rystra/plugin'
import { SharedPorts } from '@rystra/net'
import type { Duplex } from 'node:stream'
import { LinkEnd, openStream } from './link-end.js'
import type { Scope } from './scope.js'
import { type Maker, make } from './subject.js'

/** A transport under test. */
export interface TransportSubject {
  /** The extension with its options, or what makes the transport. */
  readonly transport: Maker<Transport>
  /** Where it listens. @default '127.0.0.1' */
  readonly host?: string
  /** Fields of `server.listen` beside transport, host and port. */
  readonly listen?: Readonly<Record<string, unknown>>
  /** Fields of `client.connect` beside transport, host and port. */
  readonly dial?: Readonly<Record<string, unknown>>
  /** Connects as somebody who does not speak the transport: with bare TCP to a TLS port, say. @default dials a link */
  stranger?(address: Address): Promise<Duplex> | Duplex
}

/** A listener, and what has come to it. */
export interface Listening {
  readonly listener: Listener
  readonly links: LinkEnd[]
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
    const server = await make(subject.transport, 'transports', 'server', scope)
    const client = await make(subject.transport, 'transports', 'client', scope)
    return new TransportWorld(subject, server, client, scope)
  }

  listenOptions(port = 0): ListenOptions {
    return { ...this.subject.listen, transport: this.server.name, host: this.subject.host ?? '127.0.0.1', port }
  }

  dialOptions(to: Address): DialOptions {
    return { ...this.subject.dial, transport: this.client.name, host: to.host, port: to.port }
  }

  async listen(port = 0, signal = this.scope.signal): Promise<Listening> {
    const links: LinkEnd[] = []
    const take = (link: Link): void => {
      const end = new LinkEnd(link)
      this.scope.defer(() => end.drop())
      links.push(end)
    }
    const listener = await this.scope.wait(
      this.server.listen(this.listenOptions(port), take, signal, this.host),
      'listen()'
    )
    this.scope.defer(() => listener.close())
    return { listener, links }
  }

  async dial(to: Address, signal = this.scope.signal): Promise<LinkEnd> {
    const link = await this.scope.wait(this.client.dial(this.dialOptions(to), signal), 'dial()')
    const end = new LinkEnd(link)
    this.scope.defer(() => end.drop())
    return end
  }

  /** A dial that should fail; if it does not, its link does no harm. */
  dialInVain(to: Address, signal = this.scope.signal): Promise<Link> {
    const dialed = this.client.dial(this.dialOptions(to), signal)
    dialed.then(
      (link) => {
        const end = new LinkEnd(link)
        this.scope.defer(() => end.drop())
      },
      () => {}
    )
    return this.scope.wait(dialed, 'dial() to settle')
  }

  /** Dials, and finds the other end. One at a time. */
  async join(to: Listening): Promise<Joined> {
    const before = to.links.length
    const client = await this.dial(to.listener.address)
    await this.scope.until(() => to.links.length > before, 'the link at the listener')
    const server = to.links[before] as LinkEnd
    const [near, far] = await openStream(this.scope, client, server)
    return { client, server, near, far }
  }

  /** A listener and a link to it. */
  async joined(): Promise<Joined> {
    return this.join(await this.listen())
  }
}
