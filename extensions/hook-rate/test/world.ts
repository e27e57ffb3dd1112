import {
  type Deny,
  type ExtensionUse,
  type HelloContext,
  type OpenStreamContext,
  type Pacer,
  type PeerInfo,
  type RequestContext,
  RystraError,
  type SessionInfo,
  type Side,
  type StreamInfo
} from '@rystra/plugin'
import { FakeClock, setUpExtension, type SetUp } from '@rystra/testkit'

export const session = (identity = 'home', address = '203.0.113.9'): SessionInfo => ({
  id: 's1',
  identity: { id: identity },
  client: { id: 'nas', instance: 'i', agent: 'test' },
  peer: { address, port: 4711 },
  transport: 'tcp',
  muxer: 'yamux',
  since: 0
})

interface About {
  readonly host?: string
  readonly name?: string
  readonly kind?: string
  readonly identity?: string
  readonly port?: number
  readonly through?: SessionInfo
}

/** What became of a stream: refused, or how it is slowed down. */
export interface Opened {
  readonly denied: Deny | undefined
  readonly pace: Pacer
}

/** The extension, set up alone, and what a server would ask it. */
export class World {
  readonly clock: FakeClock
  readonly #setUp: SetUp

  constructor(use: ExtensionUse, side: Side = 'server', clock = new FakeClock(), previous?: unknown) {
    this.clock = clock
    this.#setUp = setUpExtension(use, side, { clock, previous })
  }

  /** The next instance after a reload with other options. */
  reload(use: ExtensionUse, side: Side = 'server'): World {
    return new World(use, side, this.clock, this.#setUp.handover())
  }

  #tap(hook: string): SetUp['taps'][number] | undefined {
    return this.#setUp.taps.find((tap) => tap.hook === hook)
  }

  #call(hook: string, context: unknown): unknown {
    return (this.#tap(hook)?.fn as ((context: unknown) => unknown) | undefined)?.(context)
  }

  info({
    host = '198.51.100.7',
    name = 'web',
    kind = 'tcp',
    identity = 'home',
    port = 5,
    through
  }: About = {}): StreamInfo {
    return {
      id: '1',
      proxy: { name, kind },
      visitor: { host, port, to: { host: '203.0.113.1', port: 80 }, ...(through === undefined ? {} : { through }) },
      session: session(identity),
      side: 'server'
    }
  }

  /** Whether the extension taps the hook for such a stream at all. */
  concerned(about?: About): boolean {
    const tap = this.#tap('onOpenStream')
    const { concerns } = (tap?.options ?? {}) as { concerns?: (stream: StreamInfo) => boolean }
    return tap !== undefined && concerns?.(this.info(about)) !== false
  }

  open(about?: About): Opened {
    const pacers: Pacer[] = []
    const context: OpenStreamContext = {
      ...this.info(about),
      pace: (pacer) => void pacers.push(pacer),
      through: () => {},
      carryTrace: () => {}
    }
    const denied = this.concerned(about) ? (this.#call('onOpenStream', context) as Deny | undefined) : undefined
    return { denied, pace: (...args) => Math.max(0, ...pacers.map((pacer) => pacer(...args))) }
  }

  request(about?: About): Deny | undefined {
    const { proxy, visitor, session } = this.info(about)
    const request: RequestContext = {
      id: 'r',
      proxy,
      visitor,
      session,
      method: 'GET',
      host: 'x',
      target: '/',
      secure: false,
      headers: []
    }
    return this.#call('onRequest', request) as Deny | undefined
  }

  peer(address: string): PeerInfo {
    return { address, port: 1 }
  }

  hello(peer: PeerInfo): Promise<Deny | undefined> {
    const hello: HelloContext = { peer, client: session().client, transport: 'tcp' }
    return Promise.resolve(this.#call('onHello', hello) as Promise<Deny | undefined>)
  }

  connected(peer: PeerInfo): void {
    this.#call('onConnect', { session: { ...session(), peer }, side: 'server' })
  }

  refused(peer: PeerInfo, code: 'auth.refused' | 'session.refused' | 'protocol.timeout' = 'auth.refused'): void {
    const error = new RystraError(code)
    this.#call('onRefused', { what: 'session', side: 'server', error, subject: peer.address, peer })
  }

  /** A handshake that fails at once, however long it has to wait. Answers with the refusal at its beginning, if any. */
  async guess(address: string): Promise<Deny | undefined> {
    const peer = this.peer(address)
    const hello = this.hello(peer)
    await this.clock.pass(this.clock.next ?? 0)
    const denied = await hello
    this.refused(peer, denied === undefined ? 'auth.refused' : 'session.refused')
    return denied
  }

  stop(): Promise<void> {
    return this.#setUp.stop()
  }
}
