import { type ClientHello, readClientHello } from '@rystra/net'
import { firstBytes } from '@rystra/tls'
import type { Socket } from 'node:net'

/** Bytes in which a ClientHello has to be complete, with the headers of its records. */
const MAX_HEAD = 20 * 1024

/** What a connection began with. */
export type FirstWords = ClientHello | 'http' | 'garbage'

/** What these bytes are; `undefined` while more are needed to tell. */
export const understand = (head: Buffer): FirstWords | undefined => {
  const kind = firstBytes(head)
  if (kind === undefined || kind === 'http') return kind
  if (kind === 'other') return 'garbage'
  const hello = readClientHello(head)
  if (hello === undefined) return head.length < MAX_HEAD ? undefined : 'garbage'
  return hello ?? 'garbage'
}

/** Reads until it is known what a connection began with, and puts all back. Whoever ends before that is closed. */
export const readFirstWords = (socket: Socket, onKnown: (words: FirstWords) => void): void => {
  let head: Buffer = Buffer.alloc(0)
  const look = (): void => {
    const before = head.length
    for (let chunk = socket.read() as Buffer | null; chunk !== null; chunk = socket.read()) {
      head = head.length === 0 ? chunk : Buffer.concat([head, chunk])
    }
    if (head.length === before) return
    const words = understand(head)
    if (words === undefined) return
    forget()
    // A stream that has ended takes nothing back; nobody waits for an answer there either.
    if (socket.readableEnded || socket.destroyed) socket.destroy()
    else {
      socket.unshift(head)
      onKnown(words)
    }
  }
  const ended = (): void => {
    forget()
    socket.destroy()
  }
  const forget = (): void => {
    socket.removeListener('readable', look)
    socket.removeListener('end', ended)
  }
  socket.on('readable', look)
  socket.on('end', ended)
}
