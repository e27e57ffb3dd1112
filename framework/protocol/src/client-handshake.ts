import { randomBytes } from 'node:crypto'
import { isRystraError, RystraError } from '@rystra/model'
import { encode } from './codec.js'
import { earlyFields, type ResumeTicket } from './early.js'
import { Handshake } from './handshake.js'
import { MAX_AUTH_ROUNDS, NONCE_SIZE, PROOF_FRAME_LIMIT } from './limits.js'
import {
  type AuthOk,
  type EarlyAnswer,
  type Hello,
  type HelloAck,
  type Message,
  messageNumber,
  OPTIONAL_TYPES
} from './messages.js'
import { AUTH_ROUNDS } from './negotiation.js'
import { MINOR, preface } from './preface.js'
import { describeForeignProtocol } from './foreign-protocol.js'
import { transcriptOf } from './transcript.js'
import { errorFrom } from './wire-error.js'

/** What a client says of itself, and what it can. */
export interface Offer {
  /** `client.id` of its configuration. */
  readonly id: string
  /** Random, new for each process. */
  readonly instance: string
  /** Software and version, `rystra/0.1.0`. */
  readonly agent: string
  /** Names of muxers it can use on this link, the one it likes best first. */
  readonly muxers: readonly string[]
  /** Names of methods it can authenticate with, the one it likes best first. */
  readonly auth: readonly string[]
  /** @default none */
  readonly features?: readonly string[]
  /** Data to send with the Hello, by the ticket of an earlier session. Left out where they do not fit. @default none */
  readonly early?: {
    readonly ticket: ResumeTicket
    /** Name of the channel that they are for. */
    readonly channel: string
    readonly data: Uint8Array
  }
  /** Called with each answer to them, between HelloAck and AuthOk. Must not throw. */
  readonly onEarlyAnswer?: (answer: EarlyAnswer) => void
  /** For test vectors alone. @default 32 random bytes */
  readonly nonce?: Uint8Array
}

/** The frame, with early data where they fit. */
const frameOf = (hello: Hello, early: Offer['early']): { readonly frame: Uint8Array; readonly early: boolean } => {
  try {
    if (early !== undefined) {
      const fields = earlyFields(early.ticket, hello, early.channel, early.data)
      return { frame: encode({ ...hello, ...fields }), early: true }
    }
  } catch (error) {
    if (!isRystraError(error) || error.code !== 'protocol.too-large') throw error
  }
  return { frame: encode(hello), early: false }
}

/** What the bytes so far ask of the client. */
export type ClientRequest =
  /** Answer with {@link ClientHandshake.prove}. */
  | { readonly type: 'challenge'; readonly ack: HelloAck; readonly transcript: Uint8Array }
  /** A further round. Answer with {@link ClientHandshake.prove}. */
  | { readonly type: 'round'; readonly challenge: Uint8Array }
  /** Authenticated. Check `ok.confirm`; everything behind it belongs to the muxer: see {@link ClientHandshake.rest}. */
  | { readonly type: 'ok'; readonly ok: AuthOk }

const firstTypes = new Set([messageNumber('HelloAck'), messageNumber('Error')])

type State = 'start' | 'helloAck' | 'proving' | 'authOk'

/** The client's half of the handshake, without I/O: bytes go in, frames come out. After anything thrown, close. */
export class ClientHandshake extends Handshake<State, ClientRequest> {
  private answered = false
  /** Auth messages that may still be sent: one, unless both ends know several rounds. */
  private rounds = 1
  private readonly helloFrame: Uint8Array
  private readonly sentEarly: boolean

  /** Throws `protocol.malformed` for an offer that no server would take: a name that is too long, for example. */
  constructor(private readonly offer: Offer) {
    super('start')
    const { id, instance, agent, muxers, auth, features = [] } = offer
    const nonce = offer.nonce ?? new Uint8Array(randomBytes(NONCE_SIZE))
    const hello: Hello = {
      type: 'Hello',
      minor: MINOR,
      id,
      instance,
      agent,
      muxers: [...muxers],
      auth: [...auth],
      nonce,
      features: [...features]
    }
    const { frame, early } = frameOf(hello, offer.early)
    this.helloFrame = frame
    this.sentEarly = early
  }

  /** The first bytes of the link: preface and Hello. */
  start(): Uint8Array {
    if (this.state !== 'start') throw this.misuse('start')
    this.state = 'helloAck'
    return Buffer.concat([preface, this.helloFrame])
  }

  /** The Auth frame to send. */
  prove(proof: Uint8Array): Uint8Array {
    if (this.state !== 'proving') throw this.misuse('prove')
    const frame = encode({ type: 'Auth', proof })
    this.rounds -= 1
    this.state = 'authOk'
    return frame
  }

  protected override advance(buffer: Uint8Array, start: number, end: number): ClientRequest | undefined {
    if (this.over || this.state === 'start') throw this.misuse('push')
    if (!this.answered) {
      const type = buffer[start] as number
      // An HTTP, SSH or TLS server says something else first; tell that from a Rystra server with a fault.
      if (!firstTypes.has(type) && type < OPTIONAL_TYPES) {
        throw new RystraError('protocol.not-rystra', describeForeignProtocol(buffer.subarray(start, end)))
      }
      this.answered = true
    }
    return this.take(buffer, start, end)
  }

  protected override next(): Message | undefined {
    for (;;) {
      const message = super.next()
      // A server may give up at any time: it shuts down, or its deadline passes.
      if (message?.type === 'Error') throw errorFrom(message, 'server')
      if (message?.type !== 'EarlyAnswer') return message
      if (!this.sentEarly || this.digest === undefined) {
        throw new RystraError('protocol.unexpected', { detail: message.type })
      }
      this.offer.onEarlyAnswer?.(message)
    }
  }

  protected override receive(message: Message): ClientRequest {
    if (this.state === 'helloAck' && message.type === 'HelloAck') {
      this.digest = transcriptOf(this.helloFrame, this.decoder.frame)
      this.checkChoice(message)
      this.nothingMore()
      if (message.features.includes(AUTH_ROUNDS)) {
        this.rounds = MAX_AUTH_ROUNDS
        this.decoder.limit = PROOF_FRAME_LIMIT
      }
      this.state = 'proving'
      return { type: 'challenge', ack: message, transcript: this.digest }
    }
    if (this.state === 'authOk' && message.type === 'AuthChallenge' && this.rounds > 0) {
      this.nothingMore()
      this.state = 'proving'
      return { type: 'round', challenge: message.challenge }
    }
    if (this.state === 'authOk' && message.type === 'AuthOk') {
      this.decoder.detach()
      this.state = 'done'
      return { type: 'ok', ok: message }
    }
    throw new RystraError('protocol.unexpected', { detail: message.type })
  }

  /** A server chooses among what was offered, and nothing else. */
  private checkChoice({ minor, muxer, method, features }: HelloAck): void {
    const { offer } = this
    const foreign =
      (minor > MINOR && `minor ${minor}`) ||
      (!offer.muxers.includes(muxer) && `muxer ${muxer}`) ||
      (!offer.auth.includes(method) && `method ${method}`) ||
      features.find((feature) => !offer.features?.includes(feature))
    if (foreign) throw new RystraError('protocol.unexpected', { detail: `not offered: ${foreign}` })
  }
}
