import { createHmac, timingSafeEqual } from 'node:crypto'
import { EARLY_PROOF_SIZE, SECRET_SIZE, TICKET_SIZE } from './limits.js'
import type { Hello } from './messages.js'

const label = 'rystra early data'

/** What a Hello says of early data. */
export interface EarlyFields {
  /** The id of the ticket, and the proof behind it. */
  readonly resume: Uint8Array
  /** Name of the channel that the data are for. */
  readonly channel: string
  readonly early: Uint8Array
}

/** A ticket that AuthOk gave: its id, and the secret that proves it. */
export interface ResumeTicket {
  readonly id: Uint8Array
  readonly secret: Uint8Array
}

/** HMAC-SHA256 with the secret of the ticket; see SPEC.md 5.3. */
const earlyProof = (
  secret: Uint8Array,
  { nonce, id }: Pick<Hello, 'nonce' | 'id'>,
  channel: string,
  early: Uint8Array
): Uint8Array => {
  const sizes = Buffer.alloc(2)
  sizes[0] = Buffer.byteLength(id)
  sizes[1] = Buffer.byteLength(channel)
  return new Uint8Array(
    createHmac('sha256', secret)
      .update(label)
      .update(nonce)
      .update(sizes)
      .update(id)
      .update(channel)
      .update(early)
      .digest()
  )
}

/** The fields of the Hello that sends data early. */
export const earlyFields = (
  { id, secret }: ResumeTicket,
  hello: Pick<Hello, 'nonce' | 'id'>,
  channel: string,
  early: Uint8Array
): EarlyFields => {
  const resume = new Uint8Array(TICKET_SIZE + EARLY_PROOF_SIZE)
  resume.set(id)
  resume.set(earlyProof(secret, hello, channel, early), TICKET_SIZE)
  return { resume, channel, early }
}

/** What a Hello says of early data; `undefined` for one without. */
export const earlyOf = ({ resume, channel, early }: Hello): EarlyFields | undefined =>
  resume === undefined || channel === undefined || early === undefined ? undefined : { resume, channel, early }

/** Whether the proof holds, in constant time. */
export const verifyEarly = (secret: Uint8Array, hello: Hello, { resume, channel, early }: EarlyFields): boolean =>
  timingSafeEqual(resume.subarray(TICKET_SIZE), earlyProof(secret, hello, channel, early))

/** The field `ticket` of AuthOk. */
export const joinTicket = ({ id, secret }: ResumeTicket): Uint8Array => new Uint8Array(Buffer.concat([id, secret]))

/** The parts of the field `ticket` of AuthOk. */
export const splitTicket = (ticket: Uint8Array): ResumeTicket => ({
  id: ticket.slice(0, TICKET_SIZE),
  secret: ticket.slice(TICKET_SIZE, TICKET_SIZE + SECRET_SIZE)
})
