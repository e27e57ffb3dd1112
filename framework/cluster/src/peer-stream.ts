import type { RawStream } from '@rystra/bytes'
import { background, type Logger, RystraError } from '@rystra/model'
import type { Clock } from '@rystra/plugin'
import { type DatagramFlows, readMessage, readyFrame, refuseStream } from '@rystra/session'
import { channelOf, type ForwardedChannel } from './channel-head.js'
import { type Forward, forwardOf } from './forward-head.js'
import { type MemberRequests, REQUEST } from './member-request.js'
import type { PeerStream } from './peer-acceptor.js'
import { type ProbeRequest, probeOf } from './probe.js'

/** Milliseconds for the head of a stream: the other server sends it with the first packet. */
const HEAD_TIMEOUT_MS = 5000

/** What a server does with streams of other servers. */
export interface PeerStreamHost {
  /** A stream of a visitor that came in at another server. */
  onForward(raw: RawStream, forward: Forward, flows: DatagramFlows | undefined, log: Logger): void
  /** A channel that `stream.member` has opened. */
  onChannel(raw: RawStream, channel: ForwardedChannel, stream: PeerStream): void
  /** Whether the client of a session answers. */
  onProbe(request: ProbeRequest): Promise<boolean>
}

/** Takes a stream that another server has opened: one of a visitor, a channel, or a request or probe, which goes no further and has no hop. */
export const takePeerStream = (
  from: PeerStream,
  host: PeerStreamHost,
  requests: MemberRequests,
  clock: Clock
): void => {
  const { stream: raw, member, flows, log } = from
  const cancel = clock.after(HEAD_TIMEOUT_MS, () => raw.reset())
  readMessage(raw, {
    onMessage: (message) => {
      cancel()
      try {
        if (message.type === 'OpenStream') host.onForward(raw, forwardOf(message), flows, log)
        else if (message.type !== 'OpenChannel') {
          throw new RystraError('protocol.unexpected', { side: 'client', detail: message.type })
        } else if (message.name === REQUEST) {
          background(requests.answer(raw, message, member, clock), log, 'a request was not answered')
        } else if (message.details?.['hop'] === undefined) {
          background(answer(raw, probeOf(message), host, clock), log, 'a probe was not answered')
        } else host.onChannel(raw, channelOf(message), from)
      } catch (error) {
        log.warn({ err: error }, 'a stream of another server was refused')
        refuseStream(raw, error, clock)
      }
    },
    onError: (error) => {
      cancel()
      log.debug({ err: error }, 'a stream of another server ended before it began')
      raw.reset()
    }
  })
}

const answer = async (raw: RawStream, request: ProbeRequest, host: PeerStreamHost, clock: Clock): Promise<void> => {
  const alive = await host.onProbe(request).catch(() => false)
  if (!alive) refuseStream(raw, new RystraError('cluster.not-here', { side: 'server' }), clock)
  else if (!raw.closed) {
    raw.read({ onBytes: () => true, onEnd: () => {} })
    const ready = readyFrame()
    raw.write(ready, 0, ready.length, false)
    raw.end()
  }
}
