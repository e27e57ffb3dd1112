import { type ByteLink, type DataLinks, type Muxer, type MuxHost, silentLog } from '@rystra/plugin'
import assert from 'node:assert/strict'
import type { Duplex } from 'node:stream'
import { type Faults, faulty } from '../fault/index.js'
import { duplexPair } from '../pair.js'
import { caseMaker } from './kit.js'
import { LinkEnd, openStream } from './link-end.js'
import type { Linked } from './linked.js'
import type { Scope } from './scope.js'
import { type Maker, make } from './subject.js'

/** A muxer under test. */
export interface MuxerSubject {
  /** The extension with its options, or what makes the muxer. */
  readonly muxer: Maker<Muxer>
  /** Bytes that one stream may take for a reader that does not read, over all buffers. @default 16777216 */
  readonly maxBuffered?: number
}

/** Links below the muxer. */
interface Lines {
  readonly server: Duplex
  readonly client: Duplex
}

/** What a muxer that dials more links works with: each is one more pair within the process. */
class Links {
  readonly server: DataLinks
  readonly client: DataLinks

  constructor(
    join: () => Lines,
    private readonly signal: AbortSignal
  ) {
    this.server = {
      onLink: undefined,
      onRequest: undefined,
      request: (count) => void setImmediate(() => this.client.onRequest?.(count)),
      dial: () => Promise.reject(new Error('a server does not dial'))
    }
    this.client = {
      onLink: undefined,
      onRequest: undefined,
      request: () => assert.fail('a client asked the server to dial'),
      dial: (given, opens = false) =>
        new Promise((resolve, reject) => {
          setImmediate(() => {
            if (given.aborted || signal.aborted) return reject(new Error('given up'))
            const { server, client } = join()
            resolve(linkOf(client))
            this.#handOver(linkOf(server), opens)
          })
        })
    }
  }

  /** A session hands a link over once it has its muxer. */
  #handOver(link: ByteLink, opens: boolean): void {
    if (this.server.onLink !== undefined) this.server.onLink(link, opens)
    else if (!this.signal.aborted) setImmediate(() => this.#handOver(link, opens))
  }
}

const linkOf = (duplex: Duplex): ByteLink => ({ kind: 'bytes', duplex, peer: { address: 'memory', port: 1 } })

/** How the links below are. */
export interface WorldOptions {
  /** What goes wrong at the client's end of each link; called once for each. */
  readonly faults?: () => Faults
  /** What happens to the first link before the muxer gets it. */
  before?(lines: Lines): Promise<void>
  /** Turns of the event loop between the time that the client's end is wrapped and the server's. @default none */
  late?(): Promise<void>
}

/** What the cases of the muxer kit work with: two ends of a muxed link. */
class MuxerWorld implements Linked {
  /** The first link, below the muxer. */
  lines!: Lines
  server!: LinkEnd
  client!: LinkEnd

  private constructor(
    readonly subject: MuxerSubject,
    readonly scope: Scope
  ) {}

  static of(subject: MuxerSubject, scope: Scope): MuxerWorld {
    return new MuxerWorld(subject, scope)
  }

  get maxBuffered(): number {
    return this.subject.maxBuffered ?? 16 * 1_048_576
  }

  /** Wraps both ends. */
  async wrap({ faults, before, late }: WorldOptions = {}): Promise<this> {
    const open = new Set<Duplex>()
    this.scope.defer(() => {
      for (const end of open) end.on('error', () => {}).destroy()
    })
    const join = (): Lines => {
      const [server, far] = duplexPair()
      const client = faults === undefined ? far : faulty(far, faults())
      open.add(server).add(client)
      for (const end of [server, client]) end.once('close', () => open.delete(end))
      return { server, client }
    }
    this.lines = join()
    await before?.(this.lines)
    const links = new Links(join, this.scope.signal)
    const host = (side: 'server' | 'client'): MuxHost => ({ log: silentLog, links: links[side] })
    const forClient = await make(this.subject.muxer, 'muxers', 'client', this.scope)
    const forServer = await make(this.subject.muxer, 'muxers', 'server', this.scope)
    this.client = new LinkEnd(forClient.wrap(linkOf(this.lines.client), 'client', host('client')))
    this.scope.defer(() => this.client.drop())
    await late?.()
    this.server = new LinkEnd(forServer.wrap(linkOf(this.lines.server), 'server', host('server')))
    this.scope.defer(() => this.server.drop())
    return this
  }

  /** Loses the first link. */
  cut(): void {
    this.lines.client.destroy(new Error('cable'))
  }

  end(side: 'server' | 'client'): LinkEnd {
    return side === 'server' ? this.server : this.client
  }

  /** Opens a stream; the first of the two is the end that opened it. */
  open(side: 'server' | 'client' = 'server'): Promise<[Duplex, Duplex]> {
    return openStream(this.scope, this.end(side), this.end(side === 'server' ? 'client' : 'server'))
  }
}

/** A case of the kit for muxers. */
export const muxerCase = caseMaker<MuxerSubject, MuxerWorld>(MuxerWorld.of)
