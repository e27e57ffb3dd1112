import { once } from 'node:events'
import dgram from 'node:dgram'
import net from 'node:net'
import { loopback } from '../../bench/address.js'

/** Below those that systems use for outgoing connections and for sockets that are bound to no port in particular. */
const [first, count] = [20_000, 10_000]
let next = first + (process.pid % count)

const both = async (port: number): Promise<boolean> => {
  const tcp = net.createServer()
  const udp = dgram.createSocket('udp4')
  try {
    tcp.listen(port, loopback)
    udp.bind(port, loopback)
    await Promise.all([once(tcp, 'listening'), once(udp, 'listening')])
    return true
  } catch {
    return false
  } finally {
    await Promise.all([
      new Promise((resolve) => tcp.close(resolve)),
      new Promise<void>((resolve) => udp.close(resolve))
    ])
  }
}

/** A port that is free now of TCP and of UDP, and was not given before. */
export const freePort = async (): Promise<number> => {
  for (let tries = 0; tries < 1000; tries += 1) {
    const port = next + 1 < first + count ? next + 1 : first
    next = port
    if (await both(port)) return port
  }
  throw new Error('no port is free')
}
