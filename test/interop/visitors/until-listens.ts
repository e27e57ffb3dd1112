import net from 'node:net'
import { loopback } from '../../bench/address.js'

const accepts = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = net.connect(port, loopback)
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })

/** Waits for a program that does not say when it listens. */
export const untilListens = async (port: number, timeout = 60_000): Promise<void> => {
  for (const end = performance.now() + timeout; !(await accepts(port)); ) {
    if (performance.now() > end) throw new Error(`nothing listens on ${port}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
