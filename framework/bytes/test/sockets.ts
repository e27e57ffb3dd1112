import { once } from 'node:events'
import fs from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import tls from 'node:tls'

/** The two ends of one connection. */
export interface Joined {
  readonly dialed: net.Socket
  readonly accepted: net.Socket
}

const open = new Set<{ destroy(): void }>()
const servers = new Set<net.Server>()
const folders = new Set<string>()

/** Takes down what a test left open. Call it after each. */
export const tidy = (): void => {
  for (const socket of open) socket.destroy()
  for (const server of servers) server.close()
  for (const folder of folders) fs.rmSync(folder, { recursive: true, force: true })
  open.clear()
  servers.clear()
  folders.clear()
}

const kept = <S extends net.Socket>(socket: S): S => {
  open.add(socket)
  socket.on('error', () => {})
  socket.once('close', () => open.delete(socket))
  return socket
}

const join = async (server: net.Server, event: string, dial: () => net.Socket, up: string): Promise<Joined> => {
  const coming = once(server, event) as Promise<[net.Socket]>
  const dialed = kept(dial())
  const [[accepted]] = await Promise.all([coming, once(dialed, up)])
  server.close()
  servers.delete(server)
  return { dialed, accepted: kept(accepted) }
}

/** Two connected TCP sockets. */
export const tcpPair = async (): Promise<Joined> => {
  const server = net.createServer({ allowHalfOpen: true, noDelay: true }).listen(0, '127.0.0.1')
  servers.add(server)
  await once(server, 'listening')
  const { port } = server.address() as net.AddressInfo
  const dial = () => net.connect({ host: '127.0.0.1', port, allowHalfOpen: true, noDelay: true })
  return join(server, 'connection', dial, 'connect')
}

/** Two connected Unix sockets. */
export const unixPair = async (): Promise<Joined> => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'rystra-'))
  folders.add(folder)
  const file = path.join(folder, 's')
  const server = net.createServer({ allowHalfOpen: true }).listen(file)
  servers.add(server)
  await once(server, 'listening')
  return join(server, 'connection', () => net.connect({ path: file, allowHalfOpen: true }), 'connect')
}

/** Two connected TLS sockets. */
export const tlsPair = async (): Promise<Joined> => {
  const options = { key, cert, allowHalfOpen: true } as tls.TlsOptions
  const server = tls.createServer(options).listen(0, '127.0.0.1')
  servers.add(server)
  await once(server, 'listening')
  const { port } = server.address() as net.AddressInfo
  const dial = () =>
    tls.connect({ host: '127.0.0.1', port, allowHalfOpen: true, rejectUnauthorized: false } as tls.ConnectionOptions)
  return join(server, 'secureConnection', dial, 'secureConnect')
}

/** Each kind of socket that a raw stream is made of. */
export const socketPairs: Record<string, () => Promise<Joined>> = { TCP: tcpPair, Unix: unixPair, TLS: tlsPair }

export const ends = ['dialed', 'accepted'] as const
export const otherEnd = { dialed: 'accepted', accepted: 'dialed' } as const

/** How a connection ends, seen from one of its sockets: `end`, `close`, or the code of its error. */
export const outcome = (socket: net.Socket): Promise<string> =>
  new Promise((resolve) => {
    let ended = false
    socket.on('end', () => {
      ended = true
    })
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    socket.on('close', () => resolve(ended ? 'end' : 'close'))
    socket.resume()
  })

// A certificate for tests and nothing else: its key is public.
const key = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgZypneDZhvvNby49b
82oXZCPMNu6dM4QS3qwaf8uBEVShRANCAATTXAI4zCAVSj+TVCFqtfxr3hkJOf7P
DO8kdNTskc66UL1IsBqEXiIRRx/sg4UkNTsA4J4hUTuxEjIf7LizhzoG
-----END PRIVATE KEY-----
`
const cert = `-----BEGIN CERTIFICATE-----
MIIBdTCCARugAwIBAgIUE6f+ij6MQKgOjGtL9XLwzK3MZMwwCgYIKoZIzj0EAwIw
DzENMAsGA1UEAwwEdGVzdDAgFw0yNjExMjEwNzUwMTZaGA8yMTI2MTAyODA3NTAx
NlowDzENMAsGA1UEAwwEdGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABNNc
AjjMIBVKP5NUIWq1/GveGQk5/s8M7yR01OyRzrpQvUiwGoReIhFHH+yDhSQ1OwDg
niFRO7ESMh/suLOHOgajUzBRMB0GA1UdDgQWBBR0bsPi3tBiZCOMzgI13d4eNaLe
fzAfBgNVHSMEGDAWgBR0bsPi3tBiZCOMzgI13d4eNaLefzAPBgNVHRMBAf8EBTAD
AQH/MAoGCCqGSM49BAMCA0gAMEUCIQCZ1ayaplFDp/kfu2VsX6gquQcLnhXBVhzL
xWcthyMpugIgMsiKXqILamH9JptKLSB2r5ZBbCXkpoQoYZIl+akKhS8=
-----END CERTIFICATE-----
`
