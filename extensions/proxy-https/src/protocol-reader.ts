import { type ClientHello, readClientHello } from '@rystra/net'
import { firstBytes } from '@rystra/tls'
import type { Socket } from 'node:net'

/** Maximum size of a ClientHello with the headers of its records, in bytes. */
const MAX_HELLO_BYTES = 20 * 1024

/** The first message of a connection. */
export type FirstMessage = ClientHello | 'http' | 'garbage'

/** Reads the first message; `undefined` while more bytes are needed. */
export const parseFirst = (head: Buffer): FirstMessage | undefined => {
  const kind = firstBytes(head)
  if (kind === undefined || kind === 'http') return kind
  if (kind === 'other') return 'garbage'
  const hello = readClientHello(head)
  if (hello === undefined) return head.length < MAX_HELLO_BYTES ? undefined : 'garbage'
  return hello ?? 'garbage'
}

/** Reads until the first message is complete, and puts all bytes back. A connection that ends before that is closed. */
export const readFirst = (socket: Socket, onMessage: (message: FirstMessage) => void): void => {
  let head: Buffer = Buffer.alloc(0)
  const onReadable = (): void => {
    const before = head.length
    for (let chunk = socket.read() as Buffer | null; chunk !== null; chunk = socket.read()) {
      head = head.length === 0 ? chunk : Buffer.concat([head, chunk])
    }
    if (head.length === before) return
    const message = parseFirst(head)
    if (message === undefined) return
    stop()
    // A stream that has ended takes nothing back.
    if (socket.readableEnded || socket.destroyed) socket.destroy()
    else {
      socket.unshift(head)
      onMessage(message)
    }
  }
  const onEnd = (): void => {
    stop()
    socket.destroy()
  }
  const stop = (): void => {
    socket.removeListener('readable', onReadable)
    socket.removeListener('end', onEnd)
  }
  socket.on('readable', onReadable)
  socket.on('end', onEnd)
}
