import type { GenerationRef } from '@rystra/kernel'
import { RystraError, type SessionInfo, toRystraError } from '@rystra/model'
import { earlyOf, errorField, type Fields, type Hello, MAX_EARLY_DATA } from '@rystra/protocol'
import { randomBytes } from 'node:crypto'
import type { Bound, ResumeTickets } from './resume-tickets.js'

/** Bytes of answers to one client that is not authenticated again yet. */
const MAX_ANSWER_BYTES = 64 * 1024

/** Sends an EarlyAnswer; `false` when it is too late for one. */
export type SendAnswer = (fields: Fields<'EarlyAnswer'>) => boolean

/** What {@link takeEarly} works with. */
export interface EarlyHost {
  readonly tickets: ResumeTickets
  readonly generation: GenerationRef
  readonly link: Bound & { readonly early: boolean }
  /** Aborted when the handshake is over: answers are not sent any more. */
  readonly signal: AbortSignal
  now(): number
}

/** Hands the early data of a Hello to their channel. What refuses them is sent; the handshake goes on in any case. Never rejects. */
export const takeEarly = async (hello: Hello, send: SendAnswer, host: EarlyHost): Promise<RystraError | undefined> => {
  try {
    await admit(hello, send, host)
    return undefined
  } catch (cause) {
    const error = toRystraError(cause)
    const { code } = error
    // What is wrong with a ticket is for the log alone.
    send({ error: errorField(new RystraError(code)) })
    return error
  }
}

const admit = async (hello: Hello, send: SendAnswer, host: EarlyHost): Promise<void> => {
  const { tickets, generation, link, signal, now } = host
  const early = earlyOf(hello)
  if (early === undefined) throw new RystraError('protocol.unexpected')
  if (!link.early) throw new RystraError('session.not-resumed', { side: 'server', detail: 'not on this transport' })
  const { client, identity } = tickets.take(hello, early, link, generation.id, now())
  const { registries, calls } = generation
  const handler = registries.channels.has(early.channel) ? registries.channels.get(early.channel) : undefined
  if (handler?.onEarly === undefined)
    throw new RystraError('channel.unknown', { side: 'server', detail: early.channel })
  const session: SessionInfo = {
    id: `early-${randomBytes(9).toString('base64url')}`,
    identity,
    client: { ...client, instance: hello.instance, agent: hello.agent },
    peer: link.peer,
    transport: link.transport,
    muxer: 'native',
    since: now()
  }
  const opened = { id: 'early', name: early.channel, details: {}, session, side: 'server', openedBy: 'client' } as const
  const denied = await calls.openChannel(opened)
  if (denied !== undefined) throw new RystraError('channel.refused', { side: 'server', detail: denied.deny })
  if (signal.aborted) return
  let left = MAX_ANSWER_BYTES
  handler.onEarly({
    session,
    data: Buffer.from(early.early),
    signal,
    answer: (data) => {
      left -= data.length
      if (left < 0) return false
      for (let at = 0; at < data.length; at += MAX_EARLY_DATA) {
        if (!send({ data: new Uint8Array(data.subarray(at, at + MAX_EARLY_DATA)) })) return false
      }
      return true
    }
  })
}
