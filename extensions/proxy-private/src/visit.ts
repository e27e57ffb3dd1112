import { type Details, RystraError, type SessionInfo, type VisitHost, type VisitorInfo } from '@rystra/plugin'
import type net from 'node:net'
import { makeProof } from './proof.js'
import type { Secret } from './secret.js'
import { fullName, type ForwardSpec } from './spec.js'
import { openWayIn, type WayIn } from './way-in.js'

/** Milliseconds a program waits for a session: what most reconnects take. */
const SESSION_WAIT = 5000

/** Programs that wait for it, at most. */
const WAITING_LIMIT = 1024

const infoOf = ({ remoteAddress, remotePort, localAddress, localPort }: net.Socket): VisitorInfo => ({
  host: remoteAddress ?? 'unknown',
  port: remotePort ?? 0,
  to: { host: localAddress ?? 'unknown', port: localPort ?? 0 }
})

/** What the server and the owner are told of one visit. */
export const detailsOf = ({ from, ...entry }: ForwardSpec, key: Buffer | undefined, session: SessionInfo): Details => {
  const occasion = { name: fullName(entry as ForwardSpec), session: session.id, identity: session.identity.id }
  return { ...(from === undefined ? {} : { from }), ...(key === undefined ? {} : makeProof(key, occasion)) }
}

/** The visiting half for TCP: a port of this machine, and a stream for each connection to it. */
export const visitByTcp = (entry: ForwardSpec, secret: Secret | undefined, host: VisitHost): Promise<WayIn> => {
  const name = fullName(entry)
  let waiting = 0

  const go = (visitor: net.Socket, key: Buffer | undefined, session: SessionInfo): void =>
    host.relay(visitor, name, infoOf(visitor), detailsOf(entry, key, session))

  const later = async (visitor: net.Socket): Promise<void> => {
    visitor.on('error', () => {})
    waiting += 1
    try {
      const key = await secret?.key
      await host.up(SESSION_WAIT)
      // The proof has to be for the session through which it goes.
      const { session } = host
      if (session === undefined)
        throw new RystraError('session.lost', { side: 'client', detail: 'there is no session' })
      go(visitor, key, session)
    } catch (error) {
      visitor.resetAndDestroy()
      host.log.warn({ err: error, of: name }, 'a visitor was reset')
    } finally {
      waiting -= 1
    }
  }

  return openWayIn(entry.bind, (visitor) => {
    const key = secret?.key
    const { session } = host
    if (session !== undefined && !(key instanceof Promise)) go(visitor, key, session)
    else if (waiting < WAITING_LIMIT) void later(visitor)
    else visitor.resetAndDestroy()
  })
}
