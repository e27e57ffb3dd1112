import { RystraError, toRystraError } from '@rystra/model'
import type { Link } from '@rystra/plugin'
import { authenticateToServer, type Session } from '@rystra/session'
import { dialingPeer } from './peer-identity.js'
import {
  dialOptions,
  NATIVE,
  type PeerAddress,
  peerMuxers,
  type PeerOptions,
  peerSession,
  unexpectedMessage
} from './peer-options.js'

/**
 * Dials another server. Rejects with `cluster.refused` when either does not take the other for a member, with `connect.*` or
 * `tls.*` otherwise.
 */
export const dialPeer = async (
  to: PeerAddress,
  options: PeerOptions,
  signal: AbortSignal,
  onClose: (session: Session) => void
): Promise<Session> => {
  const { config, generations, instance, agent, clock } = options
  const { registries } = generations.current
  const link = await registries.transports.get(config.transport).dial(dialOptions(config, to), signal)
  try {
    const stream = link.kind === 'bytes' ? link.duplex : await link.open(signal)
    stream.on('error', () => {})
    const { ack, ok } = await authenticateToServer(stream, {
      offer: {
        id: config.name,
        instance,
        agent,
        muxers: link.kind === 'bytes' ? peerMuxers(registries) : [NATIVE]
      },
      authenticators: dialingPeer({ cluster: config.cluster, to: to.name }, config.name),
      peer: link.peer,
      signal
    })
    const { muxer } = ack
    const info = {
      id: ok.session,
      identity: { id: to.name },
      client: { id: config.name, instance, agent },
      peer: link.peer,
      transport: config.transport,
      muxer,
      since: clock.now()
    }
    const session: Session = peerSession({ link, stream, muxer, info, side: 'client' }, options, {
      onMessage: unexpectedMessage,
      onGoAway: () => onClose(session),
      onClose: () => onClose(session)
    })
    await session.start(signal)
    return session
  } catch (cause) {
    destroy(link)
    const error = toRystraError(cause)
    throw error.code.startsWith('auth.')
      ? new RystraError('cluster.refused', { side: 'server', detail: to.name, cause })
      : error
  }
}

const destroy = (link: Link): void => {
  if (link.kind === 'streams') link.destroy()
  else link.duplex.on('error', () => {}).destroy()
}
