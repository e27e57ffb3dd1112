import { ConnectionStream } from '@rystra/net'
import net from 'node:net'
import { CONNECT_TIMEOUT_MS, type Interest, serviceOptions } from './service.js'

/** The address that is tried first without a socket of Node. */
const numericAddress = (local: string): { host: string; port: number } | undefined => {
  const { host, port } = serviceOptions(local) as { host?: string; port?: number }
  if (host === undefined || port === undefined) return undefined
  if (host === 'localhost') return { host: '127.0.0.1', port }
  return net.isIP(host) === 0 ? undefined : { host, port }
}

/**
 * Tries a service once, without a socket of Node. `undefined`, at once or later, where that is not possible, the service did not
 * answer, or the connection is not wanted any more: `connectService` goes on from there.
 *
 * @param released called when its descriptor is given back, and only with a connection
 */
export const connectDirectly = (
  local: string,
  interest: Interest,
  released: () => void
): Promise<ConnectionStream | undefined> | undefined => {
  const address = numericAddress(local)
  const stream = address === undefined ? undefined : ConnectionStream.dial(address)
  if (stream === undefined) return undefined
  return new Promise((resolve) => {
    const settle = (connected: ConnectionStream | undefined): void => {
      clearTimeout(timer)
      interest.onGone = undefined
      stream.onClose = undefined
      resolve(connected)
    }
    const giveUp = (): void => {
      settle(undefined)
      stream.reset()
    }
    const timer = setTimeout(giveUp, CONNECT_TIMEOUT_MS)
    interest.onGone = giveUp
    stream.onClose = giveUp
    stream.onConnected = () => {
      stream.onReleased = released
      settle(stream)
    }
  })
}
