import type net from 'node:net'

export const never = new AbortController().signal

/** All that comes until the end. */
export const readAll = (socket: net.Socket): Promise<string> =>
  new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    socket.on('data', (chunk: Buffer) => chunks.push(chunk))
    socket.once('end', () => resolve(Buffer.concat(chunks).toString('latin1')))
    socket.once('error', reject)
  })

export { failure, until } from '@rystra/testkit'
