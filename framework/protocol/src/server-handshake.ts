import { randomBytes } from 'node:crypto'
import { isRystraError, RystraError, toRystraError } from '@rystra/model'
import { encode } from './codec.js'
import { Handshake } from './handshake.js'
import { MAX_AUTH_ROUNDS, NONCE_SIZE, PROOF_FRAME_LIMIT } from './limits.js'
import type { DataHello, Fields, Hello, Message } from './messages.js'
import { AUTH_ROUNDS, common } from './negotiation.js'
import { checkPreface, MINOR, preface } from './preface.js'
import { answerForeignProtocol } from './foreign-protocol.js'
import { transcriptOf } from './transcript.js'
import { errorFrame } from './wire-error.js'

/** What the bytes so far ask of the server. */
export type ServerRequest =
  /** Answer with {@link ServerHandshake.accept} or {@link ServerHandshake.refuse}. */
  | { readonly type: 'hello'; readonly hello: Hello }
  /** A link of a session that is there: the handshake is over. Check the proof, take {@link ServerHandshake.rest}. */
  | { readonly type: 'data'; readonly hello: DataHello }
  /** Answer with {@link ServerHandshake.challenge}, {@link ServerHandshake.authenticated} or {@link ServerHandshake.refuse}. */
  | { readonly type: 'auth'; readonly proof: Uint8Array; readonly transcript: Uint8Array }

/** What a server chooses from a Hello. */
export interface Acceptance {
  /** One of `hello.muxers`. */
  readonly muxer: string
  /** One of `hello.auth`. */
  readonly method: string
  /** Software and version, `rystra/0.1.0`. */
  readonly agent: string
  /** Id of this server, so that a client does not open a second session with it. @default none */
  readonly server?: string | undefined
  /** What this server can; what the client offered as well is agreed on. @default none */
  readonly features?: readonly string[]
  /** For test vectors alone. @default 32 random bytes */
  readonly nonce?: Uint8Array
}

/** Bytes that identify the protocol of a peer that does not speak this one. */
const FOREIGN_BYTES = 256

type State = 'preface' | 'hello' | 'deciding' | 'auth' | 'verifying'

/**
 * The server's half of the handshake, without I/O: bytes go in, frames come out.
 *
 * After anything thrown, or {@link refuse}, send the bytes of {@link closingBytes}, if any, and close.
 */
export class ServerHandshake extends Handshake<State, ServerRequest> {
  private matched = 0
  /** The first bytes of a peer that does not speak Rystra. */
  private strange: Uint8Array | undefined
  private hello: Hello | undefined
  /** Auth messages that may still come: one, unless both ends know several rounds. */
  private rounds = 1
  private helloFrame: Uint8Array | undefined

  constructor() {
    super('preface')
  }

  /** The HelloAck frame to send. */
  accept(acceptance: Acceptance): Uint8Array {
    const { hello, helloFrame } = this
    if (this.state !== 'deciding' || hello === undefined || helloFrame === undefined) throw this.misuse('accept')
    const { muxer, method, agent, server, features = [], nonce = new Uint8Array(randomBytes(NONCE_SIZE)) } = acceptance
    const agreed = common(features, hello.features)
    if (agreed.includes(AUTH_ROUNDS)) this.rounds = MAX_AUTH_ROUNDS
    const frame = encode({
      type: 'HelloAck',
      minor: Math.min(MINOR, hello.minor),
      muxer,
      method,
      nonce,
      features: agreed,
      agent,
      ...(server === undefined ? {} : { server })
    })
    this.digest = transcriptOf(helloFrame, frame)
    this.decoder.limit = PROOF_FRAME_LIMIT
    this.state = 'auth'
    return frame
  }

  /** Whether the client may be challenged once more. */
  get mayChallenge(): boolean {
    return this.state === 'verifying' && this.rounds > 0
  }

  /** The AuthChallenge frame to send: a further Auth follows. See {@link mayChallenge}. */
  challenge(challenge: Uint8Array): Uint8Array {
    if (!this.mayChallenge) throw this.misuse('challenge')
    const frame = encode({ type: 'AuthChallenge', challenge })
    this.state = 'auth'
    return frame
  }

  /** The frame of an answer to early data; `undefined` when it is too late for one. */
  earlyAnswer(fields: Fields<'EarlyAnswer'>): Uint8Array | undefined {
    return this.state === 'auth' || this.state === 'verifying' ? encode({ type: 'EarlyAnswer', ...fields }) : undefined
  }

  /** The AuthOk frame to send. Everything behind it belongs to the muxer: see {@link rest}. */
  authenticated(fields: Fields<'AuthOk'>): Uint8Array {
    if (this.state !== 'verifying') throw this.misuse('authenticated')
    const frame = encode({ type: 'AuthOk', ...fields })
    this.state = 'done'
    return frame
  }

  /** The Error frame to send before the link is closed: the code alone, since the peer is not authenticated. */
  refuse(error: unknown): Uint8Array {
    const verifying = this.state === 'verifying'
    this.state = 'failed'
    const { code } = toRystraError(error)
    // Which part of a proof was wrong is for the log only.
    const hidden = verifying && code.startsWith('auth.') ? new RystraError('auth.refused') : error
    return errorFrame(hidden, { detail: false })
  }

  /**
   * The bytes to send after {@link push} threw. A peer that does not speak Rystra is answered in HTTP or TLS when its first
   * bytes are of one of them, and otherwise not at all.
   */
  closingBytes(error: unknown): Uint8Array | undefined {
    if (!isRystraError(error) || error.code !== 'protocol.not-rystra') return this.refuse(error)
    return this.strange === undefined ? undefined : answerForeignProtocol(this.strange)
  }

  protected override advance(buffer: Uint8Array, start: number, end: number): ServerRequest | undefined {
    let at = start
    if (this.state === 'preface') {
      const before = this.matched
      try {
        this.matched = checkPreface(before, buffer, start, end)
      } catch (error) {
        this.strange = Buffer.concat([
          preface.subarray(0, before),
          buffer.subarray(start, Math.min(end, start + FOREIGN_BYTES))
        ])
        throw error
      }
      at += this.matched - before
      if (this.matched < preface.length) return undefined
      this.state = 'hello'
    }
    if (this.over) throw this.misuse('push')
    return this.take(buffer, at, end)
  }

  protected override receive(message: Message): ServerRequest {
    if (this.state === 'hello' && message.type === 'DataHello') {
      this.decoder.detach()
      this.state = 'done'
      return { type: 'data', hello: message }
    }
    const frame = new Uint8Array(this.decoder.frame)
    // A client has nothing more to say before it is answered.
    this.nothingMore()
    if (this.state === 'hello' && message.type === 'Hello') {
      this.state = 'deciding'
      this.hello = message
      this.helloFrame = frame
      return { type: 'hello', hello: message }
    }
    if (this.state === 'auth' && message.type === 'Auth') {
      this.rounds -= 1
      this.state = 'verifying'
      return { type: 'auth', proof: message.proof, transcript: this.digest as Uint8Array }
    }
    throw new RystraError('protocol.unexpected', { detail: message.type })
  }
}
