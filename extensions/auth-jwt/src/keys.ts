import { createHmac, createPublicKey, createSecretKey, type JsonWebKey, KeyObject, randomBytes } from 'node:crypto'
import { type CryptoKey, createLocalJWKSet, errors, type JSONWebKeySet, type LocalJWKSet } from 'jose'
import type { Algorithm } from './options.js'

/** The key that the header of a token asks for. */
export interface KeyQuery {
  readonly alg: Algorithm
  readonly kid?: string
}

/** New for each process: the id of a secret must not be a way to guess it. */
const idKey = randomBytes(32)

/** Names a key within this process. */
export const keyId = (key: KeyObject | CryptoKey): string => {
  const object = key instanceof KeyObject ? key : KeyObject.from(key)
  const bytes = object.type === 'secret' ? object.export() : object.export({ type: 'spki', format: 'der' })
  return createHmac('sha256', idKey).update(bytes).digest('base64url')
}

/** A snapshot of keys. Throws when no key matches; the text is for the log. */
export interface KeySet {
  find(query: KeyQuery): Promise<readonly (KeyObject | CryptoKey)[]>
  /** Ids of all keys; `undefined` while they are not known, or where their owner replaces them at will. */
  readonly ids?: ReadonlySet<string> | undefined
}

/** A source of keys. */
export interface KeySource extends KeySet {
  /** Algorithms of the keys, as far as known before there is a token. */
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

/** Maximum of keys in a set: a token without `kid` is tried with several. */
const MAX_KEYS = 100
/** Maximum of keys tried for a token without `kid`. */
const MAX_TRIED = 4

/** Algorithms of a public key. HMAC is never among them: the key's text would be the secret. */
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
  ids: new Set([keyId(key)]),
  find: async ({ alg }) => {
    if (!algorithms.includes(alg)) throw new Error(`${alg} does not match the key: expected ${algorithms.join(', ')}`)
    return [key]
  }
})

/** RFC 7518 section 3.2: the key must be as long as the hash. */
export const hmacAlgorithms = (bytes: number): readonly Algorithm[] =>
  hmac.filter((name) => bytes >= Number(name.slice(2)) / 8)

/** Throws for short secrets. */
export const secretKeys = (secret: string): KeySet => {
  const bytes = Buffer.from(secret, 'utf8')
  const algorithms = hmacAlgorithms(bytes.length)
  if (algorithms.length === 0) throw new Error(`secret of ${bytes.length} bytes: expected at least 32`)
  return fixed(createSecretKey(bytes), algorithms)
}

/** Throws for unusable keys. */
export const publicKeys = (pem: string): KeySet => {
  if (pem.includes('PRIVATE KEY')) throw new Error('contains a private key: expected only the public one')
  const key = createPublicKey(pem)
  const algorithms = algorithmsOf(key)
  if (algorithms.length > 0) return fixed(key, algorithms)
  throw new Error('unsupported key: expected RSA with at least 2048 bits, EC on P-256, P-384 or P-521, or Ed25519')
}

/** Nothing for keys that are never used: secrets, and those of unknown kinds. */
const idOfJwk = (key: JsonWebKey): string | undefined => {
  try {
    return keyId(createPublicKey({ key, format: 'jwk' }))
  } catch {
    return undefined
  }
}

/** Keys of a JSON Web Key Set, RFC 7517. Throws for invalid sets. HMAC keys in it are never used. */
export const jwksKeys = (text: string): KeySet => {
  let set: LocalJWKSet
  let ids: ReadonlySet<string>
  try {
    const json = JSON.parse(text) as JSONWebKeySet
    set = createLocalJWKSet(json)
    if (json.keys.length === 0) throw new Error('empty')
    ids = new Set(json.keys.flatMap((key) => idOfJwk(key as JsonWebKey) ?? []))
    if (json.keys.length > MAX_KEYS) throw new Error(`${json.keys.length} keys, more than ${MAX_KEYS}`)
  } catch (error) {
    // The parser's message quotes untrusted text.
    const reason = error instanceof SyntaxError ? 'not JSON' : (error as Error).message
    throw new Error(`invalid key set: ${reason}`)
  }
  return {
    ids,
    find: async (query) => {
      try {
        return [await set({ ...query })]
      } catch (error) {
        if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error
        const keys: CryptoKey[] = []
        for await (const key of error) if (keys.push(key) === MAX_TRIED) break
        return keys
      }
    }
  }
}
