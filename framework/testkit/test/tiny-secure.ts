import { type ByteLink, RystraError, type Transport } from '@rystra/plugin'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import net from 'node:net'
import { type Fault, faulty } from '../src/index.js'

/** What is wrong with a {@link tinySecure}. */
export type SecureFlaw = 'plain' | 'one-binding' | 'other-cipher' | 'ignores-signal'

const NONCE = 16

const hide = (mask: number): Fault =>
  async function* (bytes) {
    for await (const chunk of bytes) {
      const hidden = Buffer.allocUnsafe(chunk.length)
      // A call of a function for each byte took most of the time of these tests.
      for (let i = 0; i < chunk.length; i++) hidden[i] = (chunk[i] as number) ^ mask
      yield hidden
    }
  }

/** The other side's number; rejects when it leaves without one. */
const numberFrom = (socket: net.Socket, signal?: AbortSignal): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    const settle = (number: Buffer | null): void => {
      socket.removeListener('readable', onReadable).removeListener('end', fail).removeListener('close', fail)
      signal?.removeEventListener('abort', fail)
      if (number?.length === NONCE) resolve(number)
      else reject(new Error('it left, or was left'))
    }
    const fail = (): void => settle(null)
    const onReadable = (): void => {
      const number = socket.read(NONCE) as Buffer | null
      if (number !== null) settle(number)
    }
    socket.on('readable', onReadable).once('end', fail).once('close', fail)
    signal?.addEventListener('abort', fail)
  })

/** Both sides say a number, and make of the two what their bytes are hidden with. Hides nothing from who reads this. */
const shake = async (socket: net.Socket, signal?: AbortSignal): Promise<Buffer> => {
  const local = randomBytes(NONCE)
  socket.write(local)
  const remote = await numberFrom(socket, signal)
  return createHash('sha256')
    .update(Buffer.concat([local, remote].sort(Buffer.compare)))
    .digest()
}

/** A transport over TCP that does as if it encrypted: for what the kit looks at on the way, and for handshakes. */
export const tinySecure = (flaw?: SecureFlaw): Transport => {
  const linkOf = (socket: net.Socket, binding: Buffer, server: boolean): ByteLink => {
    const fault = flaw === 'plain' ? [] : [hide((binding[0] as number) | 1)]
    const cipher = flaw === 'other-cipher' && server ? 'none at all' : 'every byte turned over'
    const tls = { version: 'TLSv1.3', cipher, binding: flaw === 'one-binding' ? Buffer.alloc(32) : binding }
    const peer = { address: socket.remoteAddress ?? 'gone', port: socket.remotePort ?? 0, tls }
    return { kind: 'bytes', duplex: faulty(socket, { in: fault, out: fault }), peer }
  }
  return {
    name: 'tiny',
    listen: ({ host, port }, onLink, signal, ports) =>
      ports.listenTcp(
        {
          host,
          port,
          recognises: () => true,
          onSocket: (socket) => {
            socket.on('error', () => {})
            shake(socket).then(
              (binding) => onLink(linkOf(socket, binding, true)),
              () => socket.destroy()
            )
          }
        },
        signal
      ),
    dial: async ({ host, port }, signal) => {
      signal.throwIfAborted()
      const socket = net.connect({ host, port, allowHalfOpen: true, noDelay: true }).on('error', () => {})
      try {
        await once(socket, 'connect', { signal })
        return linkOf(socket, await shake(socket, flaw === 'ignores-signal' ? undefined : signal), false)
      } catch (error) {
        socket.destroy()
        throw new RystraError('connect.unreachable', { detail: `${host}:${port}`, cause: error })
      }
    }
  }
}
