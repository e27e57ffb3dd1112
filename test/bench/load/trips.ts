import net from 'node:net'
import type { Address } from '../address.js'

/** Round trips, in microseconds. */
export interface Latency {
  readonly p50: number
  readonly p99: number
}

const byte = Buffer.from('x')

/** The time of one byte there and back on one connection that is open already; the first tenth is not counted. */
export const measureTrips = ({ host, port }: Address, trips: number): Promise<Latency> =>
  new Promise((resolve, reject) => {
    const times = new Float64Array(trips)
    const skipped = Math.ceil(trips / 10)
    let done = -skipped
    let sent = 0
    const socket = net.connect({
      host,
      port,
      noDelay: true,
      onread: {
        buffer: Buffer.alloc(64),
        callback: () => {
          const now = performance.now()
          if (done >= 0) times[done] = now - sent
          done++
          if (done === trips) {
            socket.destroy()
            times.sort()
            const at = (share: number): number => (times[Math.floor(trips * share)] ?? Number.NaN) * 1000
            resolve({ p50: at(0.5), p99: at(0.99) })
            return false
          }
          sent = performance.now()
          socket.write(byte)
          return true
        }
      }
    })
    socket.once('connect', () => socket.write('Ex'))
    socket.once('error', reject)
    socket.once('close', () => reject(new Error('the connection of the round trips was closed')))
  })
