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
    const call = { keys: [this.#options.prefix], arguments: values.map(String) }
    return this.#inTime(async (client) => {
      try {
        return await client.evalSha(sha, call)
      } catch (error) {
        // A new engine, or one that was restarted, has to learn it.
        if (!/^NOSCRIPT/.test(String((error as Error).message))) throw error
        return client.eval(text, call)
      }
    })
  }

  async subscribe(listener: (message: string) => void): Promise<void> {
    await this.#inTime((client) => client.subscribe(this.channel, listener))
  }

  close(): void {
    this.#closed = true
    destroy(this.#open)
  }

  #connected(): Promise<RedisClient> {
    this.#client ??= this.#connect().catch((error: unknown) => {
      this.#client = undefined
      throw error
    })
    return this.#client
  }

  async #connect(): Promise<RedisClient> {
    const { log } = this.#options
    const client = await this.#options.client()
    // It connects again by itself; without a listener an error would end the process.
    client.on('error', (error) => {
      this.#failure = error.message
      log.debug({ err: error }, 'redis')
    })
    this.#open = client
    if (this.#closed) destroy(client)
    await client.connect()
    return client
  }

  async #inTime<Answer>(call: (client: RedisClient) => Promise<Answer>): Promise<Answer> {
    const { timeout, clock } = this.#options
    let cancel = (): void => {}
    const late = new Promise<never>((_, reject) => {
      cancel = clock.after(timeout, () => {
        const why = this.#failure === undefined ? '' : `: ${this.#failure}`
        reject(unavailable(`no answer within ${timeout} ms${why}`))
      })
    })
    const answer = this.#connected().then(call)
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
