import dgram from 'node:dgram'
import { once } from 'node:events'
import http from 'node:http'
import { host } from './connections.js'

/** Time for a visitor in good faith to be served: long, since an attack of hours runs at the lowest priority. */
export const SERVED_WITHIN_MS = 60_000

/** Visitors in good faith, who are served while others attack. */
export class GoodVisitors {
  readonly #httpPort: number
  readonly #socket = dgram.createSocket('udp4').on('error', () => {})
  #closed = false

  constructor(httpPort: number) {
    this.#httpPort = httpPort
  }

  /** Rejects unless the service of a host answers. */
  byHttp(name: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const headers = { host: `${name}.localhost` }
      const request = http.get({ host, port: this.#httpPort, headers, agent: false, timeout: SERVED_WITHIN_MS })
      request.on('timeout', () => request.destroy(new Error(`a visitor of ${name} was not answered`)))
      request.on('error', reject)
      request.on('response', (response) => {
        response.resume()
        if (response.statusCode === 200) resolve()
        else reject(new Error(`a visitor of ${name} got ${response.statusCode}`))
      })
    })
  }

  /** Datagrams may be lost, so it asks again. */
  async byDatagram(port: number): Promise<void> {
    const send = (): void => this.send('hello', port)
    const answered = once(this.#socket, 'message', { signal: AbortSignal.timeout(SERVED_WITHIN_MS) })
    send()
    const again = setInterval(send, 50)
    await answered.finally(() => clearInterval(again))
  }

  send(datagram: string | Buffer, port: number): void {
    if (!this.#closed) this.#socket.send(datagram, port, host)
  }

  close(): void {
    this.#closed = true
    this.#socket.close()
  }
}
