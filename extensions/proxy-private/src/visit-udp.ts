import { hostPort } from '@rystra/address'
import { listenError } from '@rystra/net'
import { type Clock, RystraError, type VisitHost } from '@rystra/plugin'
import { type DatagramMetrics, limitsOf, udpSocket, UdpVisitors } from '@rystra/udp'
import { lookup } from 'node:dns/promises'
import type dgram from 'node:dgram'
import { isIP } from 'node:net'
import type { Secret } from './secret.js'
import { fullName, type ForwardSpec } from './spec.js'
import { detailsOf } from './visit.js'
import { parseBind, type LocalPort } from './local-port.js'

/** Time that datagrams wait for a session. */
const SESSION_TIMEOUT_MS = 5000

/** Rejects with `listen.*`. */
const bindUdp = async (bind: string | number): Promise<dgram.Socket> => {
  const { host, port } = parseBind(bind)
  try {
    const { address, family } = isIP(host) === 0 ? await lookup(host) : { address: host, family: isIP(host) }
    return await new Promise((resolve, reject) => {
      const socket = udpSocket(family === 6 ? 6 : 4)
      socket.once('error', (error) => {
        socket.close()
        reject(error)
      })
      socket.bind({ address, port, exclusive: true }, () => {
        socket.removeAllListeners('error')
        resolve(socket)
      })
    })
  } catch (error) {
    throw listenError(error as NodeJS.ErrnoException, host, port)
  }
}

/** The visiting half for UDP: a local port with one stream for all its visitors. */
export const visitByUdp = async (
  entry: ForwardSpec,
  secret: Secret | undefined,
  host: VisitHost,
  { clock, metrics }: { readonly clock: Clock; readonly metrics: DatagramMetrics }
): Promise<LocalPort> => {
  const socket = await bindUdp(entry.bind)
  const bound = socket.address()
  const address = { host: bound.address, port: bound.port }
  const visitors = new UdpVisitors({
    socket,
    address,
    limits: limitsOf(entry),
    open: async (signal) => {
      const key = await secret?.key
      await host.up(SESSION_TIMEOUT_MS)
      if (host.session === undefined) throw new RystraError('session.lost', { side: 'client', detail: 'no session' })
      return host.openStream(
        fullName(entry),
        { ...address, to: address },
        // The proof must be for the session that carries it.
        { signal, datagrams: true, details: (session) => detailsOf(entry, key, session) }
      )
    },
    clock,
    log: host.log
  })
  const unwatch = metrics.watch(fullName(entry), visitors)
  const close = (): Promise<void> => {
    visitors.close()
    unwatch()
    return new Promise((resolve) => socket.close(() => resolve()))
  }
  return { address: hostPort(address.host, address.port), close }
}
