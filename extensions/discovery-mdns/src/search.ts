import type { Clock, FoundServer } from '@rystra/plugin'
import type { Browser, Service } from 'bonjour-service'
import type { Responder } from './responder.js'
import { SERVICE_TYPE, serverOf } from './record.js'

/** Servers of one search, at most. */
const MAX_SERVERS = 256
/** Services that the library may remember: any host can announce any number. */
const MAX_SERVICES = 512
/** Questions are asked again after one second, then after twice as long each time (RFC 6762, section 5.2). */
const FIRST_INTERVAL_MS = 1000
const MAX_INTERVAL_MS = 60_000

/** One search for servers of a name: asks, asks again, and keeps what was answered until it is read. */
export class Search {
  readonly #responder: Responder
  readonly #name: string
  readonly #port: number
  readonly #clock: Clock
  readonly #seen = new Set<string>()
  readonly #found: FoundServer[] = []
  #browser: Browser | undefined
  #cancelTimer = (): void => {}
  #wake = (): void => {}

  constructor(responder: Responder, name: string, port: number, clock: Clock) {
    this.#responder = responder
    this.#name = name
    this.#port = port
    this.#clock = clock
  }

  async *run(signal: AbortSignal): AsyncGenerator<FoundServer, void> {
    // A reader that does not read on after the end still gives the socket back.
    const close = (): void => this.#close()
    signal.addEventListener('abort', close)
    try {
      // A socket that was closed before it was bound says nothing more.
      await Promise.race([this.#responder.ready, this.#woken()])
      if (!signal.aborted) this.#browse()
      while (!signal.aborted) {
        const next = this.#found.shift()
        if (next !== undefined) yield next
        else await this.#woken()
      }
    } finally {
      signal.removeEventListener('abort', close)
      this.#close()
    }
  }

  #woken(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
    })
  }

  #close(): void {
    this.#cancelTimer()
    this.#browser?.stop()
    this.#responder.bonjour.destroy()
    this.#wake()
  }

  #browse(): void {
    const browser = this.#responder.bonjour.find({ type: SERVICE_TYPE })
    const take = (service: Service): void => {
      this.#take(service)
      if (browser.services.length <= MAX_SERVICES) return
      // The library has no bound. What it forgets is found again, and dropped here if it was found before.
      browser.services.length = 0
      Reflect.set(browser, 'serviceMap', {})
    }
    // A server that was restarted may be there under its old label with a new port.
    browser.on('up', take).on('srv-update', take).on('txt-update', take)
    this.#browser = browser
    this.#askAgain(FIRST_INTERVAL_MS)
  }

  #take(service: Service): void {
    const server = serverOf(service, this.#port)
    if (server === undefined || server.name !== this.#name || this.#seen.size >= MAX_SERVERS) return
    const key = JSON.stringify([server.host, server.port, server.transport, server.fingerprint])
    if (this.#seen.has(key)) return
    this.#seen.add(key)
    this.#found.push(server)
    this.#wake()
  }

  #askAgain(interval: number): void {
    this.#cancelTimer = this.#clock.after(interval, () => {
      this.#browser?.update()
      this.#askAgain(Math.min(2 * interval, MAX_INTERVAL_MS))
    })
  }
}
