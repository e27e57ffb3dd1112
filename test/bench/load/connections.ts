import net from 'node:net'
import type { Address } from '../address.js'

const at = 24

/** One after another from a few source addresses, so that one does not run out of ports. */
let turn = 0
const source = (): string => `127.0.0.${2 + (turn++ % 100)}`

const once = (address: Address): Promise<void> =>
  new Promise((resolve, reject) => {
    // Only Linux answers to all of 127.0.0.0/8.
    const localAddress = process.platform === 'linux' ? source() : undefined
    const socket = net.connect({ ...address, noDelay: true, localAddress })
    let echoed = false
    socket.once('connect', () => socket.write('Ex'))
    socket.once('data', () => {
      echoed = true
      socket.end()
    })
    socket.once('error', reject)
    socket.once('close', () => (echoed ? resolve() : reject(new Error('a new connection was closed before its echo'))))
  })

/**
 * New connections per second: connect, one byte there and back, close both ways; {@link at} at a time, for so many
 * milliseconds or until so many were made.
 */
export const measureConnections = async (
  address: Address,
  milliseconds: number,
  count = Number.POSITIVE_INFINITY
): Promise<number> => {
  const start = performance.now()
  const end = start + milliseconds
  let begun = 0
  let made = 0
  const worker = async (): Promise<void> => {
    while (performance.now() < end && begun < count) {
      begun++
      await once(address)
      made++
    }
  }
  await Promise.all(Array.from({ length: at }, worker))
  return (made * 1000) / (performance.now() - start)
}
