import { randomUUID } from 'node:crypto'
import type { Deny, Identity, Pacer, ProxySpec, SessionInfo, StreamInfo } from '@rystra/plugin'
import { RystraError } from '@rystra/plugin'
import { FakeClock, setUpExtension, type SetUp } from '@rystra/testkit'
import hookAcl from '../src/index.js'

type Options = NonNullable<Parameters<typeof hookAcl>[0]>

export const session = (identity: string | Identity, client = 'nas', address = '203.0.113.9'): SessionInfo => ({
  id: randomUUID(),
  identity: typeof identity === 'string' ? { id: identity } : identity,
  client: { id: client, instance: 'i', agent: 'test' },
  peer: { address, port: 4711 },
  transport: 'tcp',
  muxer: 'yamux',
  since: 0
})

/** The extension, set up alone, and what a server would ask it. */
export class World {
  readonly clock = new FakeClock()
  readonly #setUp: SetUp
  #streams = 0

  constructor(options: Options) {
    this.#setUp = setUpExtension(hookAcl(options), 'server', { clock: this.clock })
  }

  #call(hook: string, ...args: unknown[]): unknown {
    const tap = this.#setUp.taps.find((one) => one.hook === hook && !one.promise)
    return (tap?.fn as ((...args: unknown[]) => unknown) | undefined)?.(...args)
  }

  /** Whether there is a tap for requests at all. */
  get looksAtRequests(): boolean {
    return this.#setUp.taps.some(({ hook }) => hook === 'onRequest')
  }

  /** The reason of a refusal, or the spec to use. */
  ask(from: SessionInfo, spec: ProxySpec): string | ProxySpec {
    const answer = this.#call('onRegisterProxy', spec, { session: from }) as ProxySpec | Deny | undefined
    if (answer === undefined) return spec
    return typeof (answer as Deny).deny === 'string' ? (answer as Deny).deny : (answer as ProxySpec)
  }

  /** The error code of a refusal. */
  codeOf(from: SessionInfo, spec: ProxySpec): string | undefined {
    return (this.#call('onRegisterProxy', spec, { session: from }) as Deny | undefined)?.code
  }

  /** Asks, and tells what the server makes of it. */
  publish(from: SessionInfo, spec: ProxySpec): string | undefined {
    const answer = this.ask(from, spec)
    if (typeof answer === 'string') {
      this.refuse(from, spec)
      return answer
    }
    this.#call('onPublished', { session: from, proxy: answer, address: 'x' })
    return undefined
  }

  refuse(from: SessionInfo, proxy: ProxySpec): void {
    const error = new RystraError('proxy.refused')
    this.#call('onRefused', { what: 'proxy', side: 'server', error, subject: proxy.name, session: from, proxy })
  }

  unpublish(from: SessionInfo, proxy: ProxySpec): void {
    this.#call('onUnregisterProxy', { session: from, proxy, reason: 'requested' })
  }

  stream(owner: SessionInfo, proxy: ProxySpec, host = '198.51.100.7', through?: SessionInfo): StreamInfo {
    this.#streams += 1
    return {
      id: String(this.#streams),
      proxy,
      session: owner,
      side: 'server',
      visitor: { host, port: 5, to: { host: 'x', port: 80 }, ...(through === undefined ? {} : { through }) }
    }
  }

  concerned(stream: StreamInfo): boolean {
    const tap = this.#setUp.taps.find(({ hook, promise }) => hook === 'onOpenStream' && !promise)
    const { concerns } = (tap?.options ?? {}) as { concerns?: (stream: StreamInfo) => boolean }
    return concerns?.(stream) ?? false
  }

  open(stream: StreamInfo): { readonly denied: Deny | undefined; readonly pace: Pacer } {
    const pacers: Pacer[] = []
    const context = {
      ...stream,
      pace: (pacer: Pacer) => void pacers.push(pacer),
      through: () => {},
      carryTrace: () => {}
    }
    const denied = this.concerned(stream) ? (this.#call('onOpenStream', context) as Deny | undefined) : undefined
    return { denied, pace: (...args) => Math.max(0, ...pacers.map((pacer) => pacer(...args))) }
  }

  close(stream: StreamInfo): void {
    this.#call('onCloseStream', { ...stream, bytesToService: 0, bytesToVisitor: 0, duration: 1, reason: 'end' })
  }

  request(stream: StreamInfo): Deny | undefined {
    const { proxy, visitor, session: owner } = stream
    return this.#call('onRequest', { proxy, visitor, session: owner }) as Deny | undefined
  }
}
