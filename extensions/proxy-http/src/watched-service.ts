import { asciiHost } from '@rystra/address'
import type { HttpObserver, ReachHost } from '@rystra/plugin'
import { Duplex } from 'node:stream'
import type { HttpSpec } from './spec.js'
import { WireReader } from './wire-reader.js'

/**
 * The connection to a service at the client, with what passes shown to extensions that watch: nothing is changed or held
 * back, and what cannot be read as HTTP passes all the same.
 */
class WatchedService extends Duplex {
  readonly #service: Duplex
  readonly #reader: WireReader
  #cancelRead: (() => void) | undefined

  constructor(service: Duplex, reader: WireReader) {
    super({ allowHalfOpen: true })
    this.#service = service
    this.#reader = reader
    service.on('readable', () => {
      this.#cancelRead?.()
    })
    service.on('end', () => {
      reader.serviceEnded()
      this.push(null)
    })
    service.on('error', (error) => this.destroy(error))
    service.on('close', () => {
      if (!service.readableEnded || !service.writableFinished) this.destroy()
    })
  }

  override _read(): void {
    const pass = (): void => {
      const chunk = this.#service.read() as Buffer | null
      if (chunk === null) return
      this.#cancelRead = undefined
      this.#reader.fromService(chunk)
      this.push(chunk)
    }
    this.#cancelRead = pass
    pass()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#reader.toService(chunk)
    this.#service.write(chunk, done)
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#service.end(done)
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#reader.close()
    this.#service.destroy(error ?? undefined)
    done(error)
  }
}

/** The host of a request, without port. */
const hostOf = (field: string): string => {
  const host = field.replace(/:\d+$/, '')
  return asciiHost(host) ?? host.toLowerCase()
}

/** The connection to a service, watched. */
export const watchService = (
  service: Duplex,
  spec: HttpSpec,
  host: ReachHost,
  observers: readonly HttpObserver[]
): Duplex => {
  // HTTP/2 has one connection for many visitors, with heads that depend on those before them.
  if (spec.h2 === true) return service
  const { visitor, session, proxy } = host.stream
  const reader = new WireReader(observers, {
    side: 'client',
    proxy,
    session,
    visitor,
    connector: host.connector(String(spec.local)),
    hostOf
  })
  return new WatchedService(service, reader)
}
