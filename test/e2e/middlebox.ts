import dgram from 'node:dgram'
import { once } from 'node:events'
import net from 'node:net'
import { later } from './tunnel.js'

const TICK_MS = 10

/**
 * A hop that forgets connections on which no byte has gone either way for `silence` ticks, as NATs and proxies do. It counts ticks, of
 * which a process that is held up misses as many as pings.
 */
export interface Middlebox {
  readonly port: number
  /** Ticks so far. */
  readonly ticks: number
  /** Connections that were forgotten. */
  readonly cut: number
  /** Begins to count. A handshake waits for other threads, which a busy machine holds up while this process ticks on. */
  begin(): void
}

class Ticks {
  ticks = 0
  cut = 0
  #counts = false
  #over = false
  readonly #watched = new Map<object, { quiet: number; forget: () => void }>()

  constructor(
    readonly port: number,
    silence: number
  ) {
    const timer = setInterval(() => {
      if (!this.#counts) return
      this.ticks += 1
      for (const [connection, one] of this.#watched) {
        one.quiet += 1
        if (one.quiet <= silence) continue
        this.#watched.delete(connection)
        this.cut += 1
        one.forget()
      }
    }, TICK_MS)
    later(() => {
      clearInterval(timer)
      this.#over = true
      for (const { forget } of this.#watched.values()) forget()
    })
  }

  /** The test is over: nothing new is watched, or would be left open. */
  get over(): boolean {
    return this.#over
  }

  begin(): void {
    this.#counts = true
  }

  watch(connection: object, forget: () => void): void {
    this.#watched.set(connection, { quiet: 0, forget })
  }

  heard(connection: object): void {
    const one = this.#watched.get(connection)
    if (one !== undefined) one.quiet = 0
  }

  gone(connection: object): void {
    this.#watched.delete(connection)
  }
}

export const tcpMiddlebox = async (target: number, silence: number): Promise<Middlebox> => {
  const server = net.createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const box = new Ticks((server.address() as net.AddressInfo).port, silence)
  const sockets = new Set<net.Socket>()
  server.on('connection', (near) => {
    const far = net.connect({ port: target, host: '127.0.0.1', allowHalfOpen: true })
    const reset = (): void => {
      box.gone(near)
      near.resetAndDestroy()
      far.resetAndDestroy()
    }
    box.watch(near, reset)
    for (const [from, to] of [
      [near, far],
      [far, near]
    ] as const) {
      from.on('error', reset)
      from.on('end', () => to.end())
      from.on('close', () => {
        box.gone(near)
        sockets.delete(from)
      })
      sockets.add(from)
      from.on('data', (chunk: Buffer) => {
        box.heard(near)
        to.write(chunk)
      })
    }
  })
  later(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return box
}

export const udpMiddlebox = async (target: number, silence: number): Promise<Middlebox> => {
  const front = dgram.createSocket('udp4')
  front.bind(0, '127.0.0.1')
  await once(front, 'listening')
  const box = new Ticks(front.address().port, silence)
  const mappings = new Map<number, dgram.Socket>()
  front.on('message', (message, { port }) => {
    if (box.over) return
    let back = mappings.get(port)
    if (back === undefined) {
      const socket = dgram.createSocket('udp4')
      back = socket
      mappings.set(port, socket)
      socket.on('message', (answer) => {
        box.heard(socket)
        if (!box.over) front.send(answer, port, '127.0.0.1')
      })
      const forget = (): void => {
        if (mappings.get(port) !== socket) return
        mappings.delete(port)
        socket.close()
      }
      box.watch(socket, forget)
    }
    box.heard(back)
    back.send(message, target, '127.0.0.1')
  })
  later(() => front.close())
  return box
}
