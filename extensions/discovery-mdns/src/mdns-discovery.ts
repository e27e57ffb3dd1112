import {
  background,
  type Announcement,
  announcementProblem,
  type Clock,
  type Discovery,
  type FoundServer,
  isDiscoveryName,
  type Logger,
  RystraError
} from '@rystra/plugin'
import type { Bonjour, Service } from 'bonjour-service'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { SERVICE_TYPE, textOf } from './record.js'
import { openResponder, type ResponderOptions } from './responder.js'
import { Search } from './search.js'

/** Announces and finds servers by DNS-SD over multicast DNS (RFC 6762, RFC 6763), by bonjour-service. */
export class MdnsDiscovery implements Discovery {
  readonly name = 'mdns'
  readonly #options: ResponderOptions
  readonly #clock: Clock
  readonly #log: Logger
  readonly #goodbyes = new Set<Promise<void>>()

  constructor(options: ResponderOptions, clock: Clock, log: Logger) {
    this.#options = options
    this.#clock = clock
    this.#log = log
  }

  /** Goodbyes that are not sent yet. */
  async settled(): Promise<void> {
    await Promise.all(this.#goodbyes)
  }

  async announce(announcement: Announcement, signal: AbortSignal): Promise<void> {
    const detail = announcementProblem(announcement)
    if (detail !== undefined) throw new RystraError('discovery.invalid', { detail })
    if (signal.aborted) return
    const { bonjour, ready } = openResponder(this.#options, this.#clock, this.#log)
    try {
      await ready
    } catch (error) {
      bonjour.destroy()
      throw error
    }
    if (signal.aborted) {
      bonjour.destroy()
      return
    }
    const label = `rystra-${randomBytes(6).toString('hex')}`
    const service = bonjour.publish({
      name: label,
      type: SERVICE_TYPE,
      port: announcement.port,
      host: `${label}.local`,
      txt: textOf(announcement),
      // The label is random: there is nothing to ask for, and the library would print a conflict.
      probe: false
    })
    signal.addEventListener('abort', () => this.#withdraw(bonjour, service), { once: true })
    if (!service.published) await once(service, 'up', { signal }).catch(() => {})
  }

  async *find(name: string, signal: AbortSignal): AsyncGenerator<FoundServer, void> {
    if (!isDiscoveryName(name)) throw new RystraError('discovery.invalid', { detail: 'name: not one to look for' })
    if (signal.aborted) return
    const responder = openResponder(this.#options, this.#clock, this.#log)
    yield* new Search(responder, name, this.#options.port, this.#clock).run(signal)
  }

  #withdraw(bonjour: Bonjour, service: Service): void {
    const goodbye = new Promise<void>((resolve) => service.stop(() => bonjour.destroy(resolve)))
    this.#goodbyes.add(goodbye)
    background(
      goodbye.finally(() => this.#goodbyes.delete(goodbye)),
      this.#log,
      'an announcement was not taken back'
    )
  }
}
