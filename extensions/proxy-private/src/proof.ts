import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'

/** The context of a proof: a name, a session and its identity. */
export interface VisitContext {
  /** See `fullName`. */
  readonly name: string
  /** Session of the visiting client. */
  readonly session: string
  readonly identity: string
}

/** The proof of a visitor. */
export interface Proof {
  /** 16 random bytes, base64url. */
  readonly nonce: string
  /** HMAC-SHA256, base64url. */
  readonly mac: string
}

const NONCE = 16
const NONCE_TEXT = 22
const MAC_TEXT = 43

/** Each field has its length in front, so that no two contexts give the same bytes. */
const macOf = (key: Buffer, { name, session, identity }: VisitContext, nonce: string): Buffer => {
  const hmac = createHmac('sha256', key)
  for (const field of ['rystra private v1', name, session, identity, nonce]) {
    const bytes = Buffer.from(field, 'utf8')
    const length = Buffer.alloc(4)
    length.writeUInt32BE(bytes.length)
    hmac.update(length).update(bytes)
  }
  return hmac.digest()
}

export const makeProof = (key: Buffer, visit: VisitContext): Proof => {
  const nonce = randomBytes(NONCE).toString('base64url')
  return { nonce, mac: macOf(key, visit, nonce).toString('base64url') }
}

/** The proof in received details; `undefined` for none or a malformed one. */
export const proofIn = ({ nonce, mac }: Readonly<Record<string, unknown>>): Proof | undefined =>
  typeof nonce === 'string' && nonce.length === NONCE_TEXT && typeof mac === 'string' && mac.length === MAC_TEXT
    ? { nonce, mac }
    : undefined

/** Takes constant time. */
export const holds = (key: Buffer, visit: VisitContext, { nonce, mac }: Proof): boolean => {
  const shown = Buffer.from(mac, 'base64url')
  const right = macOf(key, visit, nonce)
  return shown.length === right.length && timingSafeEqual(shown, right)
}
