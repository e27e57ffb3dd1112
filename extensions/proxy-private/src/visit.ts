import { visitorOf } from '@rystra/address'
import { background, type Details, RystraError, type SessionInfo, type VisitHost } from '@rystra/plugin'
import type net from 'node:net'
import { makeProof } from './proof.js'
import type { Secret } from './secret.js'
import { fullName, type ForwardSpec } from './spec.js'
import { openLocalPort, type LocalPort } from './local-port.js'

/** Time that a visitor waits for a session, longer than most reconnects. */
const SESSION_TIMEOUT_MS = 5000

/** Maximum of waiting visitors. */
const MAX_WAITING = 1024

/** The details of a visit for the server and the owner. */
export const detailsOf = ({ from, ...entry }: ForwardSpec, key: Buffer | undefined, session: SessionInfo): Details => {
  const visit = { name: fullName(entry as ForwardSpec), session: session.id, identity: session.identity.id }
  return { ...(from === undefined ? {} : { from }), ...(key === undefined ? {} : makeProof(key, visit)) }
}

/** The visiting half for TCP: a local port with a stream per connection. */
export const visitByTcp = (entry: ForwardSpec, secret: Secret | undefined, host: VisitHost): Promise<LocalPort> => {
  const name = fullName(entry)
  let waiting = 0

  // The proof must be for the session that carries it.
  const go = (visitor: net.Socket, key: Buffer | undefined): void =>
    host.relay(visitor, name, visitorOf(visitor), (session) => detailsOf(entry, key, session))

  const later = async (visitor: net.Socket): Promise<void> => {
    visitor.on('error', () => {})
    waiting += 1
    try {
      const key = await secret?.key
      await host.up(SESSION_TIMEOUT_MS)
      if (host.session === undefined) throw new RystraError('session.lost', { side: 'client', detail: 'no session' })
      go(visitor, key)
    } catch (error) {
      visitor.resetAndDestroy()
      host.log.warn({ err: error, of: name }, 'visitor reset')
    } finally {
      waiting -= 1
    }
  }

  return openLocalPort(entry.bind, host.log, (visitor) => {
    const key = secret?.key
    if (host.session !== undefined && !(key instanceof Promise)) go(visitor, key)
    else if (waiting < MAX_WAITING) background(later(visitor), host.log, 'a visitor was not served')
    else visitor.resetAndDestroy()
  })
}
