import type { Clock } from '@rystra/plugin'
import http from 'node:http'
import net from 'node:net'
import { parseService } from './service.js'

/** `healthCheck` of a proxy, resolved. Times in milliseconds. */
export interface HealthOptions {
  readonly type: 'tcp' | 'http'
  readonly path: string
  readonly interval: number
  readonly timeout: number
  readonly failures: number
  readonly successes: number
}

/** Checks one service again and again. The first check decides at once; afterwards it takes several in a row. */
export class HealthCheck {
  readonly #options: HealthOptions
  readonly #local: string
  readonly #clock: Clock
  readonly #tell: (up: boolean, reason?: string) => void
  #up: boolean | undefined
  /** Checks in a row that speak against what was told last. */
  #against = 0
  #cancel: (() => void) | undefined
  #abort: (() => void) | undefined
  #stopped = false

  /** @param tell called with each change, and with the first outcome */
  constructor(options: HealthOptions, local: string, clock: Clock, tell: (up: boolean, reason?: string) => void) {
    this.#options = options
    this.#local = local
    this.#clock = clock
    this.#tell = tell
  }

  start(): void {
    let done = false
    const end = (problem?: string): void => {
      if (done) return
      done = true
      cancel()
      this.#abort?.()
      this.#abort = undefined
      if (this.#stopped) return
      this.#came(problem)
      this.#cancel = this.#clock.after(this.#options.interval, () => this.start())
    }
    // Also for one that accepts and then says nothing.
    const cancel = this.#clock.after(this.#options.timeout, () => end('no answer'))
    this.#cancel = cancel
    try {
      this.#abort = this.#options.type === 'http' ? this.#get(end) : this.#connect(end)
    } catch (error) {
      end((error as Error).message)
    }
  }

  #connect(end: (problem?: string) => void): () => void {
    // A service within this process is as well as this process.
    if (this.#local.startsWith('handler:')) {
      queueMicrotask(() => end())
      return () => {}
    }
    const socket = net.connect(parseService(this.#local) as net.NetConnectOpts)
    socket.once('connect', () => end())
    socket.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message))
    return () => socket.destroy()
  }

  #get(end: (problem?: string) => void): () => void {
    const address = parseService(this.#local)
    const to = 'path' in address ? { socketPath: address.path } : address
    const request = http.get(
      { ...to, path: this.#options.path, agent: false, headers: { 'user-agent': 'rystra-health-check' } },
      (response) => {
        const { statusCode = 0 } = response
        response.on('error', () => {})
        end(statusCode >= 200 && statusCode < 400 ? undefined : `status ${statusCode}`)
      }
    )
    request.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message))
    return () => request.destroy()
  }

  #came(problem: string | undefined): void {
    const good = problem === undefined
    if (good === this.#up) {
      this.#against = 0
      return
    }
    this.#against += 1
    const needed = this.#up === undefined ? 1 : good ? this.#options.successes : this.#options.failures
    if (this.#against < needed) return
    this.#up = good
    this.#against = 0
    this.#tell(good, problem)
  }

  stop(): void {
    this.#stopped = true
    this.#cancel?.()
    this.#abort?.()
  }
}
