import type { GenerationRef, HookCalls } from '@rystra/kernel'
import type { RawReader, RawStream } from '@rystra/bytes'
import {
  type AuthAnswer,
  type Authenticator,
  type ByteLink,
  type CloseStreamContext,
  type Clock,
  type Deny,
  type OpenStreamContext,
  type Registry,
  RystraError,
  type StreamInfo,
  type StreamLink
} from '@rystra/plugin'
import type { Duplex } from 'node:stream'
import { duplexPair } from 'node:stream'
import { sessionInfo as madeSessionInfo } from '@rystra/testkit'

/** A clock that goes when it is told to. */
export class FakeClock implements Clock {
  time = 1_000_000
  readonly timers = new Set<{ at: number; fn: () => void }>()
  now(): number {
    return this.time
  }
  after(ms: number, fn: () => void): () => void {
    const timer = { at: this.time + ms, fn }
    this.timers.add(timer)
    return () => void this.timers.delete(timer)
  }
  pass(ms: number): void {
    const until = this.time + ms
    for (;;) {
      const [next] = [...this.timers].filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)
      if (next === undefined) break
      this.timers.delete(next)
      this.time = Math.max(this.time, next.at)
      next.fn()
    }
    this.time = until
  }
}

/** Real time. */
export const realClock: Clock = {
  now: () => Date.now(),
  after: (ms, fn) => {
    const timer = setTimeout(fn, ms)
    return () => clearTimeout(timer)
  }
}

export { failure, turns, until } from '@rystra/testkit'

/** Two joined streams, in memory. */
export const pair = (): [Duplex, Duplex] => {
  const both = duplexPair()
  for (const stream of both) stream.on('error', () => {})
  return both
}

export const registryOf = <Thing>(things: Record<string, Thing>): Registry<Thing> => ({
  add: () => {},
  get: (name) => {
    const thing = things[name]
    if (thing === undefined) throw new RystraError('registry.unknown', { detail: name })
    return thing
  },
  has: (name) => name in things,
  list: () => Object.keys(things)
})

/** Proves with a word, accepts the same word. */
export const word = (said: string, expected = said): Authenticator => ({
  method: 'word',
  prove: () => ({ proof: Buffer.from(said), confirm: Buffer.from(`confirm ${said}`), secret: Buffer.alloc(32, 7) }),
  verify: (proof): AuthAnswer =>
    Buffer.from(proof).toString() === expected
      ? { identity: { id: 'home' }, confirm: Buffer.from(`confirm ${expected}`), secret: Buffer.alloc(32, 7) }
      : { deny: 'a wrong word, and a secret detail' }
})

export interface FakeGeneration extends GenerationRef {
  held: number
  readonly closed: CloseStreamContext[]
}

/** A generation with hooks that do what is asked. */
export const generation = (
  calls: Partial<HookCalls> = {},
  registries: Partial<GenerationRef['registries']> = {}
): FakeGeneration => {
  const closed: CloseStreamContext[] = []
  const made: FakeGeneration = {
    id: 1,
    optionSchemas: new Map(),
    listens: [],
    held: 0,
    closed,
    hold: () => {
      made.held += 1
      let over = false
      return () => {
        if (over) throw new Error('released twice')
        over = true
        made.held -= 1
      }
    },
    calls: {
      tapsRequests: false,
      request: () => undefined,
      tapsResponses: false,
      response: () => undefined,
      closeRequest: () => {},
      hello: () => Promise.resolve(undefined),
      auth: (context) =>
        Promise.resolve(
          (made.registries.authenticators.get(context.method).verify as NonNullable<Authenticator['verify']>)(
            context.proof,
            context.challenge,
            context.peer
          )
        ),
      registerProxy: (spec) => Promise.resolve(spec),
      openStream: (_context: OpenStreamContext): Promise<Deny | undefined> | undefined => undefined,
      asksOpenStream: () => false,
      dataTap: () => undefined,
      closeStream: (context) => void closed.push(context),
      openChannel: () => undefined,
      closeChannel: () => {},
      call: undefined,
      published: () => {},
      unregisterProxy: () => {},
      refused: () => {},
      connect: () => {},
      disconnect: () => {},
      ...calls
    },
    registries: {
      transports: registryOf({}),
      muxers: registryOf({}),
      proxies: registryOf({}),
      authenticators: registryOf({ word: word('open sesame') }),
      relays: registryOf({}),
      discoveries: registryOf({}),
      directories: registryOf({}),
      adminRoutes: registryOf({}),
      visitChecks: registryOf({}),
      certificateSources: registryOf({}),
      httpObservers: registryOf({}),
      channels: registryOf({}),
      ...registries
    }
  }
  return made
}

export const sessionInfo = madeSessionInfo({ peer: { address: '127.0.0.1', port: 1 }, muxer: 'none' })

export const streamInfo: StreamInfo = {
  id: '1',
  proxy: { name: 'web', kind: 'tcp' },
  visitor: { host: '192.0.2.1', port: 1, to: { host: '192.0.2.2', port: 80 } },
  session: sessionInfo,
  side: 'server'
}

/** A link of streams made by hand. */
export class FakeLink implements StreamLink {
  readonly kind = 'streams'
  readonly peer = sessionInfo.peer
  readonly calls: string[] = []
  streams = 0
  onStream: ((stream: Duplex) => void) | undefined
  onRawStream: ((stream: RawStream) => void) | undefined
  onClose: ((error?: Error) => void) | undefined
  opened: Duplex | undefined
  readonly control?: Duplex
  constructor(control?: Duplex) {
    if (control !== undefined) this.control = control
  }
  open(): Promise<Duplex> {
    const [near, far] = pair()
    this.opened = far
    return Promise.resolve(near)
  }
  goAway(): void {
    this.calls.push('goAway')
  }
  close(): void {
    this.calls.push('close')
    this.onClose?.()
  }
  destroy(error?: Error): void {
    this.calls.push('destroy')
    this.onClose?.(error)
  }
}

/** A raw stream made by hand. */
export class FakeRaw implements RawStream {
  onWritable: (() => void) | undefined
  onClose: ((error?: Error) => void) | undefined
  closed = false
  reader: RawReader | undefined
  paused = false
  readonly back: Buffer[] = []
  readonly calls: string[] = []
  readonly written: Buffer[] = []
  read(reader: RawReader): void {
    this.reader = reader
    this.paused = false
    for (let bytes = this.back.shift(); bytes !== undefined && !this.paused; bytes = this.back.shift()) {
      if (reader.onBytes(bytes, 0, bytes.length, false) === false) this.paused = true
    }
  }
  write(buffer: Buffer, start: number, end: number): boolean {
    this.written.push(Buffer.from(buffer.subarray(start, end)))
    return true
  }
  end(): void {
    this.calls.push('end')
  }
  unread(bytes: Buffer): void {
    this.back.unshift(bytes)
  }
  resume(): void {}
  pause(): void {
    this.paused = true
  }
  reset(): void {
    this.calls.push('reset')
    this.close(new Error('reset by this side'))
  }
  close(error?: Error): void {
    if (this.closed) return
    this.closed = true
    this.onClose?.(error)
  }
}

export const linkOf = (duplex: Duplex): ByteLink => ({ kind: 'bytes', duplex, peer: sessionInfo.peer })
/** Everything that comes until the end, and whether the end came. */
export const readUntilFor = (stream: Duplex): Promise<[Buffer, boolean]> =>
  new Promise((resolve) => {
    const chunks: Buffer[] = []
    let ended = false
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.on('end', () => {
      ended = true
      resolve([Buffer.concat(chunks), true])
    })
    stream.on('close', () => resolve([Buffer.concat(chunks), ended]))
  })
