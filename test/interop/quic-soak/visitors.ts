import { once } from 'node:events'
import http from 'node:http'
import net from 'node:net'
import { loopback } from '../../bench/address.js'
import { Tally } from './tally.js'

/** An answer that is later counts as a time-out. */
const TIMEOUT_MS = 10_000
const WEBSOCKETS = 8
const STREAMS = 8
const host = 'app.localhost'

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** All that visit one tunnel beside its datagrams. */
export class Visitors {
  readonly requests = new Tally()
  readonly websockets = new Tally()
  readonly streams = new Tally()
  bulkBytes = 0
  #stopped = false
  readonly #sockets = new Set<net.Socket>()
  readonly #over: Promise<unknown>
  readonly #agent = new http.Agent({ keepAlive: true, maxSockets: 4 })

  /** Ports of the public side. */
  constructor({ web, echo, bulk }: { web: number; echo: number; bulk: number }, downloads: number) {
    const lanes = [this.#request(web), this.#request(web)]
    for (let one = 0; one < WEBSOCKETS; one += 1) lanes.push(this.#upgraded(web))
    for (let one = 0; one < STREAMS; one += 1) lanes.push(this.#stream(echo, one))
    for (let one = 0; one < downloads; one += 1) lanes.push(this.#download(bulk))
    this.#over = Promise.all(lanes)
  }

  async #request(port: number): Promise<void> {
    while (!this.#stopped) {
      this.requests.sent += 1
      const since = performance.now()
      const request = http.get({ port, host: loopback, headers: { host }, agent: this.#agent, timeout: TIMEOUT_MS })
      request.once('timeout', () => request.destroy(new Error('timed out')))
      await new Promise<void>((resolve) => {
        request.once('response', (response) => {
          response.on('error', () => {}).resume()
          response.once('close', () => {
            if (response.complete && response.statusCode === 200) this.requests.ok(performance.now() - since)
            else this.requests.fail(response.complete ? String(response.statusCode) : 'cut')
            resolve()
          })
        })
        request.once('error', (error) => {
          this.requests.fail((error as NodeJS.ErrnoException).code ?? error.message)
          resolve()
        })
      })
      await pause(50)
    }
  }

  async #upgraded(port: number): Promise<void> {
    while (!this.#stopped) {
      const request = http.request({
        port,
        host: loopback,
        agent: false,
        headers: { host, connection: 'Upgrade', upgrade: 'websocket' }
      })
      request.end()
      const socket = await Promise.race([
        once(request, 'upgrade').then(([, upgraded]) => upgraded as net.Socket),
        once(request, 'error').then(() => undefined),
        once(request, 'response').then(() => undefined),
        pause(TIMEOUT_MS).then(() => undefined)
      ]).catch(() => undefined)
      if (socket === undefined) {
        this.websockets.sent += 1
        this.websockets.fail('not upgraded')
        request.destroy()
        await pause(500)
      } else await this.#talk(socket, this.websockets, 500, 60)
    }
  }

  async #stream(port: number, index: number): Promise<void> {
    while (!this.#stopped) {
      const socket = net.connect(port, loopback)
      // Half of them say little and rarely, as shells do.
      await this.#talk(socket, this.streams, index % 2 === 0 ? 200 : 2000, index % 2 === 0 ? 32_000 : 10)
    }
  }

  /** Sends a message, waits until all of it is back, and so on until the end or the first failure. */
  async #talk(socket: net.Socket, tally: Tally, interval: number, bytes: number): Promise<void> {
    this.#sockets.add(socket)
    socket.on('error', () => {})
    const closed = new Promise<'closed'>((resolve) => {
      socket.once('close', () => resolve('closed'))
    })
    let left = 0
    let arrived = (): void => {}
    socket.on('data', (data: Buffer) => {
      left -= data.length
      if (left <= 0) arrived()
    })
    const message = Buffer.alloc(bytes, 1)
    while (!this.#stopped) {
      tally.sent += 1
      const since = performance.now()
      left = bytes
      const back = new Promise<'back'>((resolve) => {
        arrived = () => resolve('back')
      })
      socket.write(message)
      const timer = setTimeout(() => socket.destroy(new Error('timed out')), TIMEOUT_MS)
      const how = await Promise.race([back, closed])
      clearTimeout(timer)
      if (how === 'closed') {
        tally.fail(performance.now() - since >= TIMEOUT_MS - 5 ? 'timed out' : this.#stopped ? 'stopped' : 'cut')
        await pause(200)
        break
      }
      tally.ok(performance.now() - since)
      await Promise.race([pause(interval), closed])
    }
    socket.destroy()
    this.#sockets.delete(socket)
  }

  async #download(port: number): Promise<void> {
    while (!this.#stopped) {
      const socket = net.connect(port, loopback)
      this.#sockets.add(socket)
      socket.on('error', () => {})
      socket.on('data', (data: Buffer) => {
        this.bulkBytes += data.length
      })
      await new Promise((resolve) => {
        socket.once('close', resolve)
      })
      this.#sockets.delete(socket)
      await pause(200)
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await pause(500)
    for (const socket of this.#sockets) socket.destroy()
    this.#agent.destroy()
    await this.#over
  }
}
