import { type Address, RystraError } from '@rystra/model'
import dgram from 'node:dgram'
import dns from 'node:dns'
import net from 'node:net'
import { bindError } from './bind.js'

/** An address, as each answer to a visitor has, is not looked up: that would cost more than to send it. */
const lookup: dgram.SocketOptions['lookup'] = (host, options, done) => {
  const family = net.isIP(host)
  if (family === 0) dns.lookup(host, { ...options, all: false }, done)
  else done(null, host, family)
}

/** Binds a UDP port for visitors. Rejects with `proxy.port-taken`, `proxy.port-privileged` or `listen.*`. */
export const bindUdp = ({ host, port }: Address): Promise<{ address: Address; socket: dgram.Socket }> =>
  new Promise((resolve, reject) => {
    // The address decides; a name is looked up as IPv4, as the default host is.
    const socket = dgram.createSocket({
      ...(net.isIPv6(host) ? { type: 'udp6', ipv6Only: host !== '::' } : { type: 'udp4' }),
      lookup
    })
    const fail = (error: NodeJS.ErrnoException): void => {
      socket.close()
      reject(bindError(error, host, port))
    }
    socket.once('error', fail)
    socket.bind({ address: host, port, exclusive: true }, () => {
      socket.removeListener('error', fail)
      const { address, port: bound } = socket.address()
      if (bound === 0) fail(new RystraError('internal', { detail: 'no port' }))
      else resolve({ address: { host: address, port: bound }, socket })
    })
  })

/** Resolves when the port is free, also when its kind has closed it already. */
export const closeUdp = (socket: dgram.Socket): Promise<void> =>
  new Promise((resolve) => {
    try {
      socket.close(() => resolve())
    } catch {
      resolve()
    }
  })
