import { silentLog } from '@rystra/model'
import { Value } from '@sinclair/typebox/value'
import net from 'node:net'
import { YamuxOptions } from '../../extensions/mux-yamux/src/options.js'
import { YamuxSession } from '../../extensions/mux-yamux/src/session.js'

export type Side = 'client' | 'server'

/** Our end of a link on a socket. */
export const session = (duplex: net.Socket, side: Side, options: Partial<YamuxOptions> = {}): YamuxSession =>
  new YamuxSession(
    { kind: 'bytes', duplex, peer: { address: '127.0.0.1', port: 1 } },
    side,
    { ...Value.Create(YamuxOptions), ...options },
    silentLog
  )

/** Listens on loopback for one connection; `dial` makes it. */
export const oneConnection = (dial: (port: number) => void): Promise<net.Socket> =>
  new Promise((resolve) => {
    const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      server.close()
      resolve(socket)
    })
    server.listen(0, '127.0.0.1', () => dial((server.address() as net.AddressInfo).port))
  })

/** A column of results. */
export class Table {
  failed = 0
  readonly #title: string

  constructor(title: string) {
    this.#title = title
    console.log(`\n${title}`)
  }

  /** Runs one case; `body` returns the figure to show, and rejects if it fails. */
  case(name: string, body: () => Promise<string>): Promise<void> {
    return this.#run(name, body, 'ok  ')
  }

  /** Shows how it is, and judges nothing. */
  fact(name: string, body: () => Promise<string>): Promise<void> {
    return this.#run(name, body, 'seen')
  }

  async #run(name: string, body: () => Promise<string>, mark: string): Promise<void> {
    const started = performance.now()
    const late = new Promise<never>((_, reject) => {
      setTimeout(() => reject(new Error('it took more than 180 s')), 180_000).unref()
    })
    const line = (mark: string, figure: string): void => {
      console.log(
        `  ${mark}  ${name.padEnd(58)} ${((performance.now() - started) / 1000).toFixed(2).padStart(7)} s  ${figure}`
      )
    }
    try {
      line(mark, await Promise.race([body(), late]))
    } catch (error) {
      this.failed += 1
      line('FAIL', `${this.#title}: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
}
