import { formatPorts, type PortRange, portAllowed } from '@rystra/config'
import { RystraError } from '@rystra/model'

/** Throws unless the policy of the server lets a client ask for this port. */
export const checkPort = (allowed: readonly PortRange[], port: number): void => {
  if (portAllowed(allowed, port)) return
  throw new RystraError('proxy.port-not-allowed', {
    side: 'server',
    detail: `${port}; allowed: ${formatPorts(allowed)}`
  })
}

/**
 * Ports that may be tried when a client leaves the choice to the server, from a random one on: so that a port which has
 * just become free is seldom given to somebody else at once, with visitors who meant the one before.
 */
export function* freePorts(allowed: readonly PortRange[], random: () => number = Math.random): Generator<number> {
  const total = allowed.reduce((sum, { from, to }) => sum + to - from + 1, 0)
  const start = Math.floor(random() * total)
  for (let step = 0; step < total; step += 1) yield nth(allowed, (start + step) % total)
}

const nth = (allowed: readonly PortRange[], index: number): number => {
  let left = index
  for (const { from, to } of allowed) {
    if (left <= to - from) return from + left
    left -= to - from + 1
  }
  throw new RystraError('internal', { detail: 'port index out of range' })
}
