import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'

/** What a proof is good for: one name, one session of one identity. */
export interface Occasion {
  /** See `fullName`. */
  readonly name: string
  /** Of whoever visits. */
  readonly session: string
  readonly identity: string
}

/** What a visitor shows instead of the secret. */
export interface Proof {
  /** 16 random bytes, base64url. */
  readonly nonce: string
  /** HMAC-SHA256, base64url. */
  readonly mac: string
}

const NONCE = 16
const NONCE_TEXT = 22
const MAC_TEXT = 43

/** Every field has its length in front, so that no two occasions give the same bytes. */
const macOf = (key: Buffer, { name, session, identity }: Occasion, nonce: string): Buffer => {
  const hmac = createHmac('sha256', key)
  for (const field of ['rystra private v1', name, session, identity, nonce]) {
    const bytes = Buffer.from(field, 'utf8')
    const length = Buffer.alloc(4)
    length.writeUInt32BE(bytes.length)
    hmac.update(length).update(bytes)
  }
  return hmac.digest()
}

export const makeProof = (key: Buffer, occasion: Occasion): Proof => {
  const nonce = randomBytes(NONCE).toString('base64url')
  return { nonce, mac: macOf(key, occasion, nonce).toString('base64url') }
}

/** The proof in what somebody sent, or `undefined` when there is none, or something else. */
export const proofIn = ({ nonce, mac }: Readonly<Record<string, unknown>>): Proof | undefined =>
  typeof nonce === 'string' && nonce.length === NONCE_TEXT && typeof mac === 'string' && mac.length === MAC_TEXT
    ? { nonce, mac }
    : undefined

/** Takes the same time whatever is wrong with it. */
export const holds = (key: Buffer, occasion: Occasion, { nonce, mac }: Proof): boolean => {
  const shown = Buffer.from(mac, 'base64url')
  const right = macOf(key, occasion, nonce)
  return shown.length === right.length && timingSafeEqual(shown, right)
}
