import { type Clock, type Logger, RystraError } from '@rystra/plugin'
import type { RedisClient } from './client.js'
import type { Script } from './scripts.js'

/** What an {@link Engine} works with. */
export interface EngineOptions {
  readonly client: () => Promise<RedisClient>
  /** Of all keys: the part in braces keeps them on one node of a Redis Cluster. */
  readonly prefix: string
  /** Milliseconds for each answer. */
  readonly timeout: number
  readonly clock: Clock
  readonly log: Logger
}

/** A Redis that may be away: every call is answered, or rejects with `cluster.unavailable`, within its time. */
export class Engine {
  readonly #options: EngineOptions
  #client: Promise<RedisClient> | undefined
  #open: RedisClient | undefined
  /** It has connected: otherwise it goes on trying. */
  #ready = false
  /** Number of the line to it: what comes on one before, and behind a call on this one, is not done any more. */
  #line = 0
  #listener: ((message: string) => void) | undefined
  #closed = false
  /** The last error of the client since an answer: a wrong password is one, and it dials again all the same. */
  #failure: string | undefined

  constructor(options: EngineOptions) {
    this.#options = options
  }

  get channel(): string {
    return `${this.#options.prefix}c`
  }

  /** Runs a script. */
  async run({ text, sha }: Script, ...values: readonly (string | number)[]): Promise<unknown> {
    return this.#inTime(async (client) => {
      const call = { keys: [this.#options.prefix], arguments: [...values, this.#line].map(String) }
      try {
        return await client.evalSha(sha, call)
      } catch (error) {
        // A new engine, or one that was restarted, has to learn it.
        if (!/^NOSCRIPT/.test(String((error as Error).message))) throw error
        return client.eval(text, call)
      }
    })
  }

  /** Messages that are sent while the engine is away are lost. */
  async subscribe(listener: (message: string) => void): Promise<void> {
    await this.#inTime((client) => client.subscribe(this.channel, listener))
    this.#listener = listener
  }

  close(): void {
    this.#closed = true
    destroy(this.#open)
  }

  #connected(): Promise<RedisClient> {
    if (this.#client !== undefined) return this.#client
    const client: Promise<RedisClient> = this.#connect().catch((error: unknown) => {
      if (this.#client === client) this.#client = undefined
      throw error
    })
    this.#client = client
    return client
  }

  /** A line on which packets are lost may stay silent for as long again as it was cut: another one is not. */
  #hangUp(client: Promise<RedisClient>): void {
    if (this.#client !== client || !this.#ready) return
    this.#client = undefined
    destroy(this.#open)
  }

  async #connect(): Promise<RedisClient> {
    const { log } = this.#options
    const client = await this.#options.client()
    this.#line += 1
    // It connects again by itself; without a listener an error would end the process.
    client.on('error', (error) => {
      this.#failure = error.message
      log.debug({ err: error }, 'redis')
    })
    this.#open = client
    this.#ready = false
    if (this.#closed) destroy(client)
    try {
      await client.connect()
      if (this.#listener !== undefined) await client.subscribe(this.channel, this.#listener)
    } catch (error) {
      destroy(client)
      throw error
    }
    this.#ready = true
    return client
  }

  async #inTime<Answer>(call: (client: RedisClient) => Promise<Answer>): Promise<Answer> {
    const { timeout, clock } = this.#options
    const connected = this.#connected()
    let cancel = (): void => {}
    const late = new Promise<never>((_, reject) => {
      cancel = clock.after(timeout, () => {
        const why = this.#failure === undefined ? '' : `: ${this.#failure}`
        this.#hangUp(connected)
        reject(unavailable(`no answer within ${timeout} ms${why}`))
      })
    })
    const answer = connected.then(call)
    // It may fail after its time.
    answer.catch(() => {})
    try {
      const result = await Promise.race([answer, late])
      this.#failure = undefined
      return result
    } catch (cause) {
      throw cause instanceof RystraError ? cause : unavailable(reasonOf(String((cause as Error).message)), cause)
    } finally {
      cancel()
    }
  }
}

/** What an answer of Redis that is an error means. */
const reasonOf = (message: string): string =>
  message.startsWith('OOM ')
    ? `${message}: the memory of Redis is full and it writes nothing, give it more maxmemory or another Redis for the cluster`
    : message

const unavailable = (detail: string, cause?: unknown): RystraError =>
  new RystraError('cluster.unavailable', { side: 'server', detail, cause })

/** A client that is closed already throws. */
const destroy = (client: RedisClient | undefined): void => {
  try {
    client?.destroy()
  } catch {
    // It is closed.
  }
}
