import { formatPorts, parsePorts, type PortRange, portAllowed } from '@rystra/address'
import type { ResolvedServer } from '@rystra/config'
import { RystraError } from '@rystra/model'
import net from 'node:net'

/** Throws unless the policy of the server lets a client ask for this port. */
export const checkPort = (allowed: readonly PortRange[], port: number): void => {
  if (portAllowed(allowed, port)) return
  throw new RystraError('proxy.port-not-allowed', {
    side: 'server',
    detail: `${port}; allowed: ${formatPorts(allowed)}`
  })
}

/**
 * Throws unless a client may ask for this address: the one that the server publishes on, or one of this machine when it
 * publishes on all of that family. Nothing is looked up: what a name means is not for a client to decide.
 */
export const checkHost = (publish: string, host: string): void => {
  if (host === publish) return
  const family = net.isIP(host)
  if (publish === '0.0.0.0' && family === 4) return
  if (publish === '::' && family !== 0) return
  throw new RystraError('proxy.refused', { side: 'server', detail: `host ${host}: published on ${publish} only` })
}

/** Why a proxy of another server is not published here: its visitors come in elsewhere. */
export const notBoundHere = new RystraError('proxy.port-not-allowed', { side: 'server', detail: 'server.publish.on' })

/** Whether a server binds the ports of a proxy. @param remote Whether another server has its client */
export const bindsPorts = (
  on: ResolvedServer['publish']['on'] = 'all',
  name: string | undefined,
  remote: boolean
): boolean => name === undefined || on === 'all' || (on === 'any' ? !remote : on.includes(name))

/** The ports of a spec that the policy of the server allows. Throws `proxy.invalid` for malformed ranges. */
export const portsOf = (allowed: readonly PortRange[], ports: unknown): readonly PortRange[] => {
  if (ports === undefined) return allowed
  let requested: readonly PortRange[]
  try {
    requested = parsePorts(ports)
  } catch (error) {
    throw new RystraError('proxy.invalid', { side: 'server', detail: `ports: ${(error as Error).message}` })
  }
  return allowed.flatMap((one) =>
    requested
      .map((other) => ({ from: Math.max(one.from, other.from), to: Math.min(one.to, other.to) }))
      .filter(({ from, to }) => from <= to)
  )
}

/**
 * Ports that may be tried when a client leaves the choice to the server, from a random one on: so that a port which has
 * just become free is seldom given to another proxy at once, with visitors of the one before.
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
