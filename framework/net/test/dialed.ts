import type net from 'node:net'
import { dialTcp } from '../src/index.js'
import type { DialEnvironment } from '../src/dial.js'
import { never, readAll } from './outcome.js'
import { httpProxy, later, type ProxyOptions, serveSocket, socksProxy, type TestProxy } from './proxies.js'

export const echo = (): Promise<number> => serveSocket((socket) => socket.pipe(socket))

export const dial = async (
  host: string,
  port: number,
  proxy?: string,
  world: DialEnvironment = { env: {} },
  signal = never
): Promise<net.Socket> => {
  const socket = await dialTcp({ host, port, ...(proxy === undefined ? {} : { proxy }) }, signal, world)
  later(() => socket.destroy())
  return socket
}

/** Sends, ends, and reads what comes back: both directions, and a half-close. */
export const exchange = (socket: net.Socket, text: string): Promise<string> => {
  const all = readAll(socket)
  socket.end(text)
  return all
}

export const listenersOf = (socket: net.Socket): string[] =>
  socket.eventNames().flatMap((name) => {
    const { length } = socket.listeners(name)
    return length === 0 || name === 'end' ? [] : [`${String(name)} ${length}`]
  })

export const makers: readonly (readonly [string, (options?: ProxyOptions) => Promise<TestProxy>])[] = [
  ['http', httpProxy],
  ['socks5h', socksProxy]
]
