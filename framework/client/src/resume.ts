import type { GenerationRef } from '@rystra/kernel'
import { BoundedMap } from '@rystra/limits'
import { fromWireError } from '@rystra/model'
import type { EarlyOffer, Link } from '@rystra/plugin'
import {
  type AuthOk,
  type EarlyAnswer,
  MAX_EARLY_DATA,
  type Offer,
  type ResumeTicket,
  splitTicket
} from '@rystra/protocol'

/** What an early offer adds to a handshake. */
export interface EarlyPart extends Pick<Offer, 'early' | 'onEarlyAnswer'> {
  /** The handshake is over, well or badly: no answer comes any more. */
  done(): void
}

const nothing: EarlyPart = { done: () => {} }

/** Servers whose tickets are kept. */
const MAX_TARGETS = 16

/** The tickets of the last sessions of a client, one of each server, and what is sent by them. */
export class Resume {
  readonly #kept = new BoundedMap<string, { readonly ticket: ResumeTicket; readonly expires: number }>(MAX_TARGETS)

  /** Keeps the ticket of a session that is up. */
  keep(target: string, { ticket, ticketLifetime = 0 }: AuthOk, now: number): void {
    if (ticket === undefined) this.#kept.delete(target)
    else this.#kept.set(target, { ticket: splitTicket(ticket), expires: now + ticketLifetime })
  }

  /** What is to be sent early on this link. A ticket is used once, whatever becomes of the link. */
  async offer(target: string, link: Link, { registries }: GenerationRef, now: number): Promise<EarlyPart> {
    const kept = this.#kept.get(target)
    if (kept === undefined || link.kind !== 'streams' || link.early !== true) return nothing
    if (kept.expires <= now) return nothing
    for (const channel of registries.channels.list()) {
      const offer = await registries.channels.get(channel).early?.(MAX_EARLY_DATA)
      if (offer === undefined) continue
      this.#kept.delete(target)
      return { early: { ticket: kept.ticket, channel, data: offer.data }, ...answersTo(offer) }
    }
    return nothing
  }
}

const answersTo = (offer: EarlyOffer): Pick<EarlyPart, 'onEarlyAnswer' | 'done'> => ({
  onEarlyAnswer: ({ data, error }: EarlyAnswer) => {
    if (data !== undefined) offer.onAnswer(Buffer.from(data))
    else if (error !== undefined) offer.onRefused(fromWireError(error, 'server'))
  },
  done: () => offer.onDone()
})
