import {
  type AuthAnswer,
  type AuthRound,
  type Deny,
  type ErrorCode,
  isErrorCode,
  isExtensionCode,
  isPlain,
  type ProxySpec,
  type Respond
} from '@rystra/plugin'

/**
 * What a tap answered, checked: a hook decides over security by these answers, and an invalid answer must not pass
 * for "nothing". Each function gives `undefined` for nothing (`null` counts as nothing), or throws a `TypeError`.
 */
export type Accept = (answer: unknown, argument: unknown) => unknown

/** A `{ deny }` in a waterfall, where only a throw ends the asking. No failure of the tap. */
export class Denial extends Error {
  readonly code: ErrorCode

  constructor({ deny, code = 'proxy.refused' }: Deny) {
    super(deny)
    this.code = code
  }
}

/** The answer in words, without its contents: these may be secret. */
const kindOf = (answer: unknown): string => {
  if (Array.isArray(answer)) return 'an array'
  if (typeof answer !== 'object') return typeof answer === 'boolean' ? String(answer) : `a ${typeof answer}`
  const keys = Object.keys(answer as object)
  return isPlain(answer)
    ? `an object with ${keys.length === 0 ? 'no keys' : keys.slice(0, 8).join(', ')}`
    : 'an object of a class'
}

const wrong = (answer: unknown, expected: string): never => {
  throw new TypeError(`it answered ${kindOf(answer)}; expected ${expected}`)
}

const isNothing = (answer: unknown): answer is undefined | null => answer === undefined || answer === null

/** A valid `{ deny }`; `undefined` when the answer says nothing of denying. */
const denyOf = (answer: object): Deny | undefined => {
  const { deny, retryAfter, hidden, code } = answer as Readonly<Record<string, unknown>>
  if (deny === undefined) return undefined
  if (typeof deny !== 'string' || deny === '') throw new TypeError('it answered a deny that is not a text')
  if (code !== undefined && !(typeof code === 'string' && (isErrorCode(code) || isExtensionCode(code))))
    throw new TypeError('it answered a code that is not an error code')
  const coded = code === undefined ? {} : { code: code as ErrorCode }
  if (hidden === true) return { deny, hidden, ...coded }
  if (retryAfter === undefined) return { deny, ...coded }
  if (typeof retryAfter !== 'number' || !(retryAfter >= 0))
    throw new TypeError('it answered a retryAfter that is no number of seconds')
  return { deny, retryAfter, ...coded }
}

/** Nothing, or `{ deny }`. */
export const acceptDeny: Accept = (answer): Deny | undefined => {
  if (isNothing(answer)) return undefined
  const deny = typeof answer === 'object' ? denyOf(answer) : undefined
  return deny ?? wrong(answer, 'nothing or { deny: reason }')
}

const isBytes = (value: unknown): value is Uint8Array => value instanceof Uint8Array

/** A further round, whose answer is checked in the same way. */
const roundOf = (answer: object): AuthRound | undefined => {
  const { challenge, next } = answer as Readonly<Record<string, unknown>>
  if (challenge === undefined) return undefined
  if (!isBytes(challenge)) throw new TypeError('it answered a challenge that is not bytes')
  if (typeof next !== 'function') throw new TypeError('it answered a challenge without next()')
  return {
    challenge,
    next: async (proof) =>
      (acceptAuth(await next.call(answer, proof), undefined) as AuthAnswer | AuthRound | undefined) ?? {
        deny: 'no answer to the proof of a further round'
      }
  }
}

/** Nothing, `{ deny }`, an identity, or a further round. */
export const acceptAuth: Accept = (answer): AuthAnswer | AuthRound | undefined => {
  if (isNothing(answer)) return undefined
  const expected = 'nothing, { deny: reason }, { challenge, next } or { identity: { id, … }, confirm?, secret? }'
  if (typeof answer !== 'object') return wrong(answer, expected)
  const deny = denyOf(answer)
  if (deny !== undefined) return deny
  const round = roundOf(answer)
  if (round !== undefined) return round
  const { identity, confirm, secret, credential } = answer as Record<string, unknown>
  if (typeof identity !== 'object' || identity === null) return wrong(answer, expected)
  const { id, rights } = identity as Record<string, unknown>
  if (typeof id !== 'string' || id === '') throw new TypeError('it answered an identity without an id')
  if (rights !== undefined && (typeof rights !== 'object' || rights === null))
    throw new TypeError('it answered rights that are not an object')
  if (confirm !== undefined && !isBytes(confirm)) throw new TypeError('it answered a confirm that is not bytes')
  if (secret !== undefined && !(isBytes(secret) && secret.length === 32))
    throw new TypeError('it answered a secret that is not 32 bytes')
  if (credential !== undefined && typeof credential !== 'string')
    throw new TypeError('it answered a credential that is not text')
  return answer as AuthAnswer
}

/** Nothing, or a spec of the same name. Throws a {@link Denial} for `{ deny }`. */
export const acceptSpec: Accept = (answer, argument): ProxySpec | undefined => {
  if (isNothing(answer) || answer === argument) return undefined
  if (!isPlain(answer)) return wrong(answer, 'nothing, a spec or { deny: reason }')
  const deny = denyOf(answer)
  if (deny !== undefined) throw new Denial(deny)
  const { name, kind } = answer
  const { name: before } = argument as ProxySpec
  if (name !== before) throw new TypeError('it changed the name of the proxy, by which both ends know it')
  if (typeof kind !== 'string' || kind === '') throw new TypeError('it answered a spec without a kind')
  return Object.freeze({ ...answer }) as ProxySpec
}

/** Nothing, `{ deny }`, or `{ respond }`. */
export const acceptRequest: Accept = (answer): Deny | Respond | undefined => {
  if (isNothing(answer)) return undefined
  const expected = 'nothing, { deny: reason } or { respond: { status, headers?, body? } }'
  if (typeof answer !== 'object') return wrong(answer, expected)
  const deny = denyOf(answer)
  if (deny !== undefined) return deny
  const { respond } = answer as { respond?: unknown }
  if (typeof respond !== 'object' || respond === null) return wrong(answer, expected)
  const { status, headers, body } = respond as Record<string, unknown>
  if (!Number.isInteger(status) || (status as number) < 200 || (status as number) > 599)
    throw new TypeError('it answered a status that is not 200 to 599')
  if (headers !== undefined && !Array.isArray(headers)) throw new TypeError('it answered headers that are not a list')
  if (body !== undefined && typeof body !== 'string' && !isBytes(body))
    throw new TypeError('it answered a body that is neither text nor bytes')
  return answer as Respond
}

/** Nothing, or a buffer. */
export const acceptChunk: Accept = (answer): Buffer | undefined => {
  if (isNothing(answer)) return undefined
  return Buffer.isBuffer(answer) ? answer : wrong(answer, 'nothing or a Buffer')
}

/** Observers have nothing to answer. */
export const acceptNothing: Accept = () => undefined
