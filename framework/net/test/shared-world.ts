import type { Listener, TcpListening } from '@rystra/plugin'
import { once } from 'node:events'
import net from 'node:net'
import type { SharedPorts } from '../src/index.js'
import { never, readAll } from './outcome.js'
import { later } from './proxies.js'

export type Member = Partial<TcpListening> & { readonly word?: string }

/** Wants what begins with a word. */
export const begins =
  (word: string) =>
  (head: Buffer): boolean | undefined => {
    const length = Math.min(head.length, word.length)
    if (head.toString('latin1', 0, length) !== word.slice(0, length)) return false
    return length === word.length ? true : undefined
  }

export const listen = async (ports: SharedPorts, port: number, member: Member, signal = never): Promise<Listener> => {
  const listener = await ports.listenTcp(
    {
      host: '127.0.0.1',
      port,
      recognises: begins(member.word ?? ''),
      onSocket: (socket) => {
        socket.on('error', () => {})
        later(() => socket.destroy())
        socket.end(`${member.word} here`)
      },
      ...member
    },
    signal
  )
  later(() => listener.close())
  return listener
}

export const connect = async (port: number, host = '127.0.0.1'): Promise<net.Socket> => {
  const socket = net.connect({ port, host, allowHalfOpen: true })
  socket.on('error', () => {})
  later(() => socket.destroy())
  await once(socket, 'connect')
  return socket
}

/** Resolves when the other side has closed, or reset. */
export const gone = (socket: net.Socket): Promise<void> =>
  new Promise((resolve) => {
    if (socket.readableEnded || socket.destroyed) resolve()
    socket.resume()
    socket.once('end', resolve)
    socket.once('close', () => resolve())
  })

/** The answer to a peer whose first bytes are these. */
export const answerTo = async (port: number, ...pieces: string[]): Promise<string> => {
  const socket = await connect(port)
  const answer = readAll(socket)
  socket.setNoDelay(true)
  for (const piece of pieces) await new Promise((resolve) => socket.write(piece, 'latin1', () => setImmediate(resolve)))
  return answer
}
