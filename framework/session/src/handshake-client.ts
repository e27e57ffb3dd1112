import type { Authenticator, PeerInfo, Proof, Registry } from '@rystra/plugin'
import { isRystraError, RystraError } from '@rystra/model'
import {
  AUTH_ROUNDS,
  type AuthOk,
  ClientHandshake,
  type ClientRequest,
  type HelloAck,
  type Offer
} from '@rystra/protocol'
import { timingSafeEqual } from 'node:crypto'
import type { Duplex } from 'node:stream'
import { fitting } from './methods.js'
import { readUntil } from './read-until.js'

/** What a client needs to authenticate itself. */
export interface ClientHandshakeOptions {
  readonly offer: Omit<Offer, 'auth'>
  readonly authenticators: Pick<Registry<Authenticator>, 'list' | 'get'>
  /** The other end of the link, and what TLS says of it. */
  readonly peer: PeerInfo
  /** Gives up; its reason is thrown. */
  readonly signal: AbortSignal
  /** Asked before the client proves anything: what it throws ends the handshake. @default nothing */
  readonly checkServer?: (ack: HelloAck) => void
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
  { offer, authenticators, peer, signal, checkServer }: ClientHandshakeOptions
): Promise<ClientAuthenticated> => {
  const { methods, unfit } = fitting(authenticators, 'prove', peer)
  if (methods.length === 0) {
    throw unfit.length > 0
      ? new RystraError('auth.no-method', { side: 'client', detail: unfit.join('; ') })
      : new RystraError('auth.no-method', {
          side: 'client',
          detail: 'this client has nothing to authenticate itself with',
          hint: 'give auth-token a token, for example'
        })
  }
  const handshake = new ClientHandshake({ ...offer, auth: methods, features: [AUTH_ROUNDS, ...(offer.features ?? [])] })
  stream.write(handshake.start())

  const challenge = await ask(stream, handshake, signal).catch((error) => {
    if (isRystraError(error) && error.code === 'session.lost') throw endOfLink(error) ?? silence(error)
    // A server sends an unauthenticated peer no more than the code; what was offered is known here.
    if (!isRystraError(error) || error.code !== 'auth.no-method') throw error
    throw new RystraError('auth.no-method', {
      side: 'server',
      detail: [`offered: ${methods.join(', ')}`, ...unfit].join('; '),
      hint: 'configure the same authenticator on both ends; the log of the server says why it took none, a certificate it does not trust for example',
      cause: error
    })
  })
  if (challenge.type !== 'challenge') throw new RystraError('protocol.unexpected')
  checkServer?.(challenge.ack)
  const { method } = challenge.ack
  const binding = peer.tls?.binding
  const { transcript } = challenge
  const request = { transcript, clientId: offer.id, ...(binding === undefined ? {} : { binding }) }
  const authenticator = authenticators.get(method)
  if (authenticator.rounds === true && !challenge.ack.features.includes(AUTH_ROUNDS))
    throw new RystraError('auth.no-method', {
      side: 'server',
      detail: `${method} needs several rounds, which this server does not know`,
      hint: 'update the server, or use another method'
    })
  let proof = await authenticator.prove?.(request, peer)
  if (proof === undefined) throw new RystraError('auth.no-method', { side: 'client', detail: method })
  stream.write(handshake.prove(proof.proof))
  let answer = await ask(stream, handshake, signal)
  while (answer.type === 'round') {
    proof = await nextProof(proof, answer.challenge, method)
    stream.write(handshake.prove(proof.proof))
    answer = await ask(stream, handshake, signal)
  }
  if (answer.type !== 'ok') throw new RystraError('protocol.unexpected')
  const { ok } = answer
  if (proof.confirm !== undefined && !equal(proof.confirm, ok.confirm)) throw new RystraError('auth.server-unproven')
  return { ack: challenge.ack, ok, secret: proof.secret ?? ok.secret }
}

const nextProof = async (before: Proof, challenge: Uint8Array, method: string): Promise<Proof> => {
  const proof = await before.next?.(challenge)
  if (proof !== undefined) return proof
  throw new RystraError('protocol.unexpected', { side: 'server', detail: `a further challenge for ${method}` })
}

/** Codes that say that a stream is over, and not why. */
const ends: ReadonlySet<string> = new Set(['session.lost', 'mux.closed', 'stream.reset'])

/** Why the link ended, where its transport knows: a server refuses a certificate over QUIC after the handshake of the client. */
const endOfLink = ({ cause }: Error): RystraError | undefined => {
  if (!(cause instanceof Error)) return undefined
  return isRystraError(cause) && !ends.has(cause.code) ? cause : endOfLink(cause)
}

/** Closed without an answer: a TLS server, for one, does so with bytes other than TLS. */
const silence = (cause: RystraError): RystraError =>
  new RystraError('session.lost', {
    detail: 'it was closed before the server said anything, as a TLS port does with plain TCP',
    hint: 'the client dials again; if that does not help, check port and transport',
    cause
  })

const ask = (stream: Duplex, handshake: ClientHandshake, signal: AbortSignal): Promise<ClientRequest> =>
  readUntil(stream, signal, (chunk) => {
    const request = handshake.push(chunk)
    if (request?.type === 'ok') {
      const rest = handshake.rest()
      if (rest.length > 0) stream.unshift(rest)
    }
    return request
  })
