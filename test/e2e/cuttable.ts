import net from 'node:net'
import { once } from 'node:events'
import { later } from './tunnel.js'

/** A hop in front of a server, to lose the network with. */
export interface Cuttable {
  readonly port: number
  /** Bytes vanish from now on, without an error, and new connections get no answer: a dead network. */
  swallow(): void
  /** Resets every connection, and goes on with new ones. */
  cut(): void
}

export const cuttable = async (target: number): Promise<Cuttable> => {
  const pairs = new Set<[net.Socket, net.Socket]>()
  let swallowed = new WeakSet<net.Socket>()
  const hop = net
    .createServer({ allowHalfOpen: true }, (near) => {
      const far = net.connect({ host: '127.0.0.1', port: target, allowHalfOpen: true })
      const pair: [net.Socket, net.Socket] = [near, far]
      pairs.add(pair)
      for (const [from, to] of [pair, [far, near] as const]) {
        from.on('error', () => {})
        from.on('data', (chunk) => {
          if (!swallowed.has(near)) to.write(chunk)
        })
        from.on('end', () => {
          if (!swallowed.has(near)) to.end()
        })
        from.on('close', () => {
          // After an end the other side still gets what is on its way.
          if (!swallowed.has(near) && !from.readableEnded) to.resetAndDestroy()
        })
      }
    })
    .listen(0, '127.0.0.1')
  await once(hop, 'listening')
  later(() => {
    for (const pair of pairs) for (const socket of pair) socket.destroy()
    hop.close()
  })
  return {
    port: (hop.address() as net.AddressInfo).port,
    swallow: () => {
      swallowed = new WeakSet([...pairs].map(([near]) => near))
      hop.close()
    },
    cut: () => {
      for (const pair of pairs) for (const socket of pair) socket.resetAndDestroy()
      pairs.clear()
    }
  }
}
