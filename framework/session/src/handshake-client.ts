import type { Authenticator, Registry } from '@rystra/plugin'
import { RystraError } from '@rystra/model'
import { type AuthOk, ClientHandshake, type ClientRequest, type HelloAck, type Offer } from '@rystra/protocol'
import { timingSafeEqual } from 'node:crypto'
import type { Duplex } from 'node:stream'
import { readUntil } from './read-until.js'

/** What a client needs to authenticate itself. */
export interface ClientHandshakeOptions {
  readonly offer: Omit<Offer, 'auth'>
  readonly authenticators: Registry<Authenticator>
  /** Channel binding of the link, if it has one. */
  readonly binding?: Uint8Array | undefined
  /** Gives up; its reason is thrown. */
  readonly signal: AbortSignal
}

/** What came of it. */
export interface ClientAuthenticated {
  readonly ack: HelloAck
  readonly ok: AuthOk
  /** Authenticates data links: from the proof, or else from the server. */
  readonly secret: Uint8Array | undefined
}

const equal = (a: Uint8Array, b: Uint8Array | undefined): boolean =>
  b !== undefined && a.length === b.length && timingSafeEqual(a, b)

/**
 * The client's half of the handshake on a stream. Bytes behind it are left in the stream.
 * The caller listens to `error` of the stream.
 * Rejects with what the server said, `auth.*`, `protocol.*` or `session.lost`; the stream is then of no more use.
 */
export const authenticateToServer = async (
  stream: Duplex,
  { offer, authenticators, binding, signal }: ClientHandshakeOptions
): Promise<ClientAuthenticated> => {
  const auth = authenticators.list().filter((name) => authenticators.get(name).prove !== undefined)
  if (auth.length === 0) {
    throw new RystraError('auth.no-method', {
      side: 'client',
      detail: 'this client has nothing to authenticate itself with',
      hint: 'give auth-token a token, for example'
    })
  }
  const handshake = new ClientHandshake({ ...offer, auth })
  stream.write(handshake.start())

  const challenge = await ask(stream, handshake, signal)
  if (challenge.type !== 'challenge') throw new RystraError('protocol.unexpected')
  const { method } = challenge.ack
  const proof = await authenticators.get(method).prove?.({
    transcript: challenge.transcript,
    clientId: offer.id,
    ...(binding === undefined ? {} : { binding })
  })
  if (proof === undefined) throw new RystraError('auth.no-method', { side: 'client', detail: method })
  stream.write(handshake.prove(proof.proof))

  const answer = await ask(stream, handshake, signal)
  if (answer.type !== 'ok') throw new RystraError('protocol.unexpected')
  const { ok } = answer
  if (proof.confirm !== undefined && !equal(proof.confirm, ok.confirm)) throw new RystraError('auth.server-unproven')
  return { ack: challenge.ack, ok, secret: proof.secret ?? ok.secret }
}

const ask = (stream: Duplex, handshake: ClientHandshake, signal: AbortSignal): Promise<ClientRequest> =>
  readUntil(stream, signal, (chunk) => {
    const request = handshake.push(chunk)
    if (request?.type === 'ok') {
      const rest = handshake.rest()
      if (rest.length > 0) stream.unshift(rest)
    }
    return request
  })
