import type { Identity, PeerInfo } from '@rystra/model'
import type { Deny } from './deny.js'

/** What both ends know of the handshake when they come to authentication. */
export interface Challenge {
  /**
   * SHA-256 over every byte of the handshake so far, preface, Hello and HelloAck, both nonces among them: 32 bytes. A
   * proof over it cannot be replayed, nor can what was negotiated be changed on the way.
   */
  readonly transcript: Uint8Array
  /** `client.id` as the client says it. */
  readonly clientId: string
  /** Keying material of the TLS link below (RFC 9266); absent on links without. A proof over it cannot be relayed. */
  readonly binding?: Uint8Array
}

/**
 * A challenge as bytes, for what is signed or hashed: every field has its length in front, four bytes, so that no two
 * challenges give the same, and a missing binding differs from an empty one.
 */
export const challengeBytes = ({ transcript, clientId, binding }: Challenge): Buffer => {
  const fields = [
    transcript,
    Buffer.from(clientId, 'utf8'),
    Uint8Array.of(binding === undefined ? 0 : 1),
    binding ?? Buffer.alloc(0)
  ]
  return Buffer.concat(
    fields.flatMap((field) => {
      const length = Buffer.alloc(4)
      length.writeUInt32BE(field.length)
      return [length, field]
    })
  )
}

/** What a client sends, and what it expects back. */
export interface Proof {
  /** Sent to the server; at most 16 KiB. */
  readonly proof: Uint8Array
  /** What the server has to send back to show that it knows the secret as well. Compared in constant time. */
  readonly confirm?: Uint8Array
  /** Known to the client and the server only, 32 bytes; data links of this session are authenticated with it. */
  readonly secret?: Uint8Array
  /**
   * Answers a further challenge of the server: see {@link AuthRound}. The `confirm` and `secret` that count are those of
   * the last proof. Absent where one proof is all: then a further challenge ends the link.
   */
  next?(challenge: Uint8Array): Promise<Proof> | Proof
}

/** A proof that holds. */
export interface Accepted {
  readonly identity: Identity
  /** Sent to the client. See {@link Proof.confirm}. */
  readonly confirm?: Uint8Array
  /** See {@link Proof.secret}. Without one the server makes it and sends it, which only TLS keeps secret. */
  readonly secret?: Uint8Array
  /** Names what it was proven with, such as the id of a token; no secret. Given back to {@link Authenticator.review}. */
  readonly credential?: string
}

/** A session that was accepted before. */
export interface ReviewedSession {
  readonly identity: Identity
  readonly clientId: string
  readonly peer: PeerInfo
  /** See {@link Accepted.credential}. */
  readonly credential?: string
}

/** The answer of an authenticator. The reason of a refusal is for the log only. */
export type AuthAnswer = Accepted | Deny

/**
 * The server needs a further proof before it can decide, as SCRAM does after it has sent salt and iterations. What one
 * handshake has to remember is in the closure of `next`, which is called at most once.
 */
export interface AuthRound {
  /** Sent to the client; at most 16 KiB. The method has to protect it, by a proof over it for example. */
  readonly challenge: Uint8Array
  /** Checks what the client answers. A throw refuses. */
  next(proof: Uint8Array): Promise<AuthAnswer | AuthRound> | AuthAnswer | AuthRound
}

/** A method of authentication. `registries.authenticators` */
export interface Authenticator {
  /** Crosses the wire: `token`, `mtls`, `jwt`. */
  readonly method: string
  /**
   * Whether it needs several rounds, up to 8: then it is chosen between peers that know them only.
   * @default false
   */
  readonly rounds?: boolean
  /**
   * What speaks against the method on this link, in words for the log; `undefined` when nothing does. Asked at both ends
   * before anything is sent of it: then the method is not offered, or not chosen, and another one is. It is no check: a
   * client that has nothing else is told that no method is common.
   * @default nothing
   */
  unfit?(peer: PeerInfo): string | undefined
  /** Client half. Absent when the client has nothing to prove itself with: then the method is not offered. */
  prove?(challenge: Challenge, peer: PeerInfo): Promise<Proof> | Proof
  /** Server half. Absent when the server has nothing to check against: then the method is not chosen. A throw refuses. */
  verify?(
    proof: Uint8Array,
    challenge: Challenge,
    peer: PeerInfo
  ): Promise<AuthAnswer | AuthRound> | AuthAnswer | AuthRound
  /**
   * Server half: whether a session would still be accepted, asked of each after a reload, and by a plan before anything
   * was started. `Deny` ends it: its streams have `server.drain` to finish. An identity of the same id brings the rights
   * that it has now. `undefined`, or a throw: that cannot be told, and the session goes on.
   * @default it goes on
   */
  review?(session: ReviewedSession): Pick<Accepted, 'identity'> | Deny | undefined
}
