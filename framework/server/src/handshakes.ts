import { type HandshakeAbort, Handshakes, type PendingHandshake, TurnQueue } from '@rystra/limits'
import { RystraError } from '@rystra/model'
import type { ServerState } from './state.js'

/** Handshakes that the servers of a process start in one turn of the event loop: some milliseconds of it. */
const queue = new TurnQueue({ perTurn: 4 })

/** The handshakes of a server, within the limits of its present configuration. */
export const handshakesOf = (state: ServerState): Handshakes =>
  new Handshakes({
    limits: () => ({ max: state.config.limits.handshakes, timeout: state.config.handshakeTimeout }),
    clock: state.clock,
    queue
  })

/** What the peer of an aborted handshake is told. */
export const abortError = (reason: HandshakeAbort): RystraError => {
  if (reason === 'closed') return new RystraError('session.closing', { side: 'server' })
  if (reason === 'timeout') return new RystraError('protocol.timeout', { side: 'client' })
  return new RystraError('session.limit', { side: 'server', detail: 'too many handshakes' })
}

/** Resolves at its turn, and when it is aborted: what follows tells the peer why. */
export const turnOf = (handshake: PendingHandshake, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true })
    handshake.enqueue(resolve)
  })
