import type { TlsFacts } from '@rystra/plugin'
import { once } from 'node:events'
import net from 'node:net'
import type { TLSSocket } from 'node:tls'
import {
  type ClientTlsOptions,
  connectTls,
  openServerTls,
  type ServerTls,
  type ServerTlsOptions,
  TlsAcceptor,
  type TlsAcceptorOptions,
  TlsDialer
} from '../src/index.js'
import { World } from './world.js'

/** A server that takes handshakes, and what came of them. */
export interface Served {
  readonly port: number
  readonly tls: ServerTls
  readonly acceptor: TlsAcceptor
  readonly came: { socket: TLSSocket; facts: TlsFacts }[]
  readonly connections: net.Socket[]
}

/** {@link World} with both ends of handshakes. */
export class HandshakeWorld extends World {
  readonly dialer = new TlsDialer(this)

  async serve(options: ServerTlsOptions, more: Partial<TlsAcceptorOptions> = {}): Promise<Served> {
    const tls = await openServerTls(options, this)
    const came: Served['came'] = []
    const acceptor = new TlsAcceptor({
      tls,
      alpn: ['rystra/1'],
      host: this,
      onSocket: (socket, facts) => {
        socket.on('error', () => {})
        this.later(() => socket.destroy())
        came.push({ socket, facts })
      },
      ...more
    })
    const connections: net.Socket[] = []
    const server = net.createServer({ allowHalfOpen: true }, (socket) => {
      connections.push(socket)
      this.later(() => socket.destroy())
      acceptor.take(socket)
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    this.later(() => {
      acceptor.close()
      tls.close()
      server.close()
    })
    return { port: (server.address() as net.AddressInfo).port, tls, acceptor, came, connections }
  }

  async bare(port: number): Promise<net.Socket> {
    const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    socket.on('error', () => {})
    this.later(() => socket.destroy())
    await once(socket, 'connect')
    return socket
  }

  async dial(
    port: number,
    options: ClientTlsOptions,
    { to = 'localhost', alpn = ['rystra/1'], signal = new AbortController().signal } = {}
  ): Promise<TLSSocket> {
    const tls = await this.dialer.trust(options, to)
    const where = `tls ${to}:${port}`
    const timeout = { ms: 10_000, clock: this.clock }
    const socket = await connectTls(tls, { socket: await this.bare(port), alpn, where, timeout }, signal)
    socket.on('error', () => {})
    this.later(() => socket.destroy())
    return socket
  }
}

/** All that comes until the end or a reset. */
export const readAll = async (socket: net.Socket): Promise<string> => {
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  if (!socket.readableEnded && !socket.destroyed) {
    await new Promise<void>((resolve) => {
      socket.once('end', resolve)
      socket.once('close', () => resolve())
    })
  }
  return Buffer.concat(chunks).toString('latin1')
}

/** Lets tickets of TLS 1.3 come, which are sent behind the handshake: they are there before the first byte. */
export const exchange = async (client: TLSSocket, server: TLSSocket): Promise<void> => {
  server.write('x')
  await once(client, 'data')
}
