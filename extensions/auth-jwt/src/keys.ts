import { createPublicKey, createSecretKey, type KeyObject } from 'node:crypto'
import { type CryptoKey, createLocalJWKSet, errors, type JSONWebKeySet, type LocalJWKSet } from 'jose'
import type { Algorithm } from './options.js'

/** What the header of a token says of its key. */
export interface KeyWanted {
  readonly alg: Algorithm
  readonly kid?: string
}

/** Keys as they are at some moment. Throws, in words for the log, when there is none that fits. */
export interface KeySet {
  find(wanted: KeyWanted): Promise<readonly (KeyObject | CryptoKey)[]>
}

/** Where keys come from. */
export interface KeySource extends KeySet {
  /** What signatures the keys can be of, as far as it is known before there is a token. */
  readonly algorithms: readonly Algorithm[]
  /** Called once, at start. Rejects with `extension.options`. */
  load(): Promise<void>
  stop(): void
}

export const hmac: readonly Algorithm[] = ['HS256', 'HS384', 'HS512']
const rsaPss: readonly Algorithm[] = ['PS256', 'PS384', 'PS512']
const rsa: readonly Algorithm[] = ['RS256', 'RS384', 'RS512', ...rsaPss]
const ed25519: readonly Algorithm[] = ['EdDSA', 'Ed25519']
export const asymmetric: readonly Algorithm[] = [...rsa, 'ES256', 'ES384', 'ES512', ...ed25519]

const curves: Readonly<Record<string, Algorithm>> = { prime256v1: 'ES256', secp384r1: 'ES384', secp521r1: 'ES512' }

/** Keys of a set: more are a mistake, and each token without `kid` would be tried with all of them. */
const MOST_KEYS = 100
/** Keys that a token without `kid` is tried with. */
const MOST_TRIED = 4

/** What a public key may check. Nothing else is taken with it: not HMAC above all, for which its text would be the secret. */
const algorithmsOf = ({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): readonly Algorithm[] => {
  if (asymmetricKeyType === 'ed25519') return ed25519
  if (asymmetricKeyType === 'ec') {
    const algorithm = curves[asymmetricKeyDetails?.namedCurve ?? '']
    return algorithm === undefined ? [] : [algorithm]
  }
  if ((asymmetricKeyDetails?.modulusLength ?? 0) < 2048) return []
  if (asymmetricKeyType === 'rsa') return rsa
  return asymmetricKeyType === 'rsa-pss' ? rsaPss : []
}

const fixed = (key: KeyObject, algorithms: readonly Algorithm[]): KeySet => ({
  find: async ({ alg }) => {
    if (!algorithms.includes(alg)) throw new Error(`${alg} does not fit the key, which is for ${algorithms.join(', ')}`)
    return [key]
  }
})

/** RFC 7518 §3.2: the key has to be as long as the hash. */
export const hmacAlgorithms = (bytes: number): readonly Algorithm[] =>
  hmac.filter((name) => bytes >= Number(name.slice(2)) / 8)

/** Throws for secrets that are too short. */
export const secretKeys = (secret: string): KeySet => {
  const bytes = Buffer.from(secret, 'utf8')
  const algorithms = hmacAlgorithms(bytes.length)
  if (algorithms.length === 0) throw new Error(`the secret has ${bytes.length} bytes; 32 are the least`)
  return fixed(createSecretKey(bytes), algorithms)
}

/** Throws for what is no public key that can be used. */
export const publicKeys = (pem: string): KeySet => {
  if (pem.includes('PRIVATE KEY')) throw new Error('it holds a private key; a server needs the public one alone')
  const key = createPublicKey(pem)
  const algorithms = algorithmsOf(key)
  if (algorithms.length > 0) return fixed(key, algorithms)
  throw new Error('it has to be RSA with 2048 bits at least, EC on P-256, P-384 or P-521, or Ed25519')
}

/** Keys of a JSON Web Key Set, RFC 7517. Throws for what is none. Keys for HMAC in it are never used. */
export const jwksKeys = (text: string): KeySet => {
  let set: LocalJWKSet
  try {
    const json = JSON.parse(text) as JSONWebKeySet
    set = createLocalJWKSet(json)
    if (json.keys.length === 0) throw new Error('it is empty')
    if (json.keys.length > MOST_KEYS) throw new Error(`it has ${json.keys.length} keys; ${MOST_KEYS} are the most`)
  } catch (error) {
    // What the parser says quotes the text, which came from outside.
    const reason = error instanceof SyntaxError ? 'it is no JSON' : (error as Error).message
    throw new Error(`no key set: ${reason}`)
  }
  return {
    find: async (wanted) => {
      try {
        return [await set({ ...wanted })]
      } catch (error) {
        if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error
        const keys: CryptoKey[] = []
        for await (const key of error) if (keys.push(key) === MOST_TRIED) break
        return keys
      }
    }
  }
}
