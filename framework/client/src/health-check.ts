import type { Clock } from '@rystra/plugin'
import http from 'node:http'
import net from 'node:net'
import type { Duplex } from 'node:stream'
import type { ProxySpec, SessionInfo } from '@rystra/model'
import type { StreamHandler } from './stream-handler.js'
import { checkHeader, type ProxyProtocolVersion } from './proxy-protocol.js'
import { connectOptions, parseService } from './service.js'
import { serveHere } from './service-stream.js'

/** What is checked. */
export interface Checked {
  readonly spec: ProxySpec
  /** The service, if it is within this process. */
  readonly handler: StreamHandler | undefined
  readonly session: SessionInfo
}

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
  readonly #checked: Checked
  readonly #clock: Clock
  readonly #tell: (up: boolean, reason?: string) => void
  #up: boolean | undefined
  /** Checks in a row that speak against what was told last. */
  #against = 0
  #cancel: (() => void) | undefined
  #abort: (() => void) | undefined
  #stopped = false

  /** @param tell called with each change, and with the first outcome */
  constructor(options: HealthOptions, checked: Checked, clock: Clock, tell: (up: boolean, reason?: string) => void) {
    this.#options = options
    this.#checked = checked
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
    // Also for one that accepts and then sends nothing.
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
    if (this.#checked.handler !== undefined) {
      queueMicrotask(() => end())
      return () => {}
    }
    const socket = this.#open()
    socket.once('connect', () => end())
    socket.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message))
    return () => socket.destroy()
  }

  #open(): Duplex {
    const { spec, handler, session } = this.#checked
    if (handler !== undefined) {
      const here = { host: '127.0.0.1', port: 0 }
      const visitor = { ...here, to: here }
      return serveHere(handler, { id: 'health', proxy: spec, visitor, session, side: 'client' })
    }
    return net.connect(connectOptions(parseService(String(spec['local']))))
  }

  #get(end: (problem?: string) => void): () => void {
    const { proxyProtocol, local } = this.#checked.spec
    const address = this.#checked.handler === undefined ? parseService(String(local)) : { path: '' }
    const service = this.#open()
    service.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message))
    // A service that expects a PROXY header gets one without a visitor.
    if (proxyProtocol !== undefined) service.write(checkHeader(proxyProtocol as ProxyProtocolVersion))
    const request = http.get(
      {
        ...('path' in address ? { host: 'localhost' } : address),
        path: this.#options.path,
        headers: { 'user-agent': 'rystra-health-check' },
        createConnection: () => service as net.Socket
      },
      (response) => {
        const { statusCode = 0 } = response
        response.on('error', () => {})
        end(statusCode >= 200 && statusCode < 400 ? undefined : `status ${statusCode}`)
      }
    )
    request.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message))
    return () => {
      request.destroy()
      service.destroy()
    }
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
