import type { HookCalls } from '@rystra/kernel'
import { type ErrorCode, RystraError, toRystraError } from '@rystra/model'
import {
  type Accepted,
  type Authenticator,
  type ClientInfo,
  identityFault,
  type PeerInfo,
  type Registry
} from '@rystra/plugin'
import {
  AUTH_ROUNDS,
  choose,
  common,
  type DataHello,
  type Fields,
  type Hello,
  ServerHandshake,
  type ServerRequest
} from '@rystra/protocol'
import type { Duplex } from 'node:stream'
import { decide } from './auth-rounds.js'
import { fitting } from './methods.js'
import { readUntil } from './read-until.js'

/** Milliseconds a peer has to read the closing message, if its buffers are too full to send it at once. */
const CLOSE_TIMEOUT_MS = 1000

/** What decides about a client: hooks and authenticators, of a generation for example. */
export interface HandshakeJudge {
  readonly calls: Pick<HookCalls, 'hello' | 'auth'>
  readonly registries: { readonly authenticators: Pick<Registry<Authenticator>, 'list' | 'get'> }
}

/** What a server needs to authenticate a client. */
export interface ServerHandshakeOptions {
  readonly generation: HandshakeJudge
  readonly peer: PeerInfo
  readonly transport: string
  /** Software and version, `rystra/0.1.0`. */
  readonly agent: string
  /** Id of this server, told before authentication. @default none */
  readonly server?: string
  /** What a client may use on this link: names of muxers, or `native` alone. */
  readonly muxers: readonly string[]
  /** What this server can beyond the minor version. @default none */
  readonly features?: readonly string[]
  /**
   * Called with a Hello that has early data, behind HelloAck. `send` answers, until AuthOk is sent: then it is `false`.
   * @default early data are not looked at
   */
  readonly onEarly?: (hello: Hello, send: (fields: Fields<'EarlyAnswer'>) => boolean) => void
  /** Gives up; its reason is sent to the peer and thrown. */
  readonly signal: AbortSignal
}

/** An authenticated client. Answer with {@link Admitted.welcome}, once. */
export interface Admitted {
  readonly type: 'session'
  readonly client: ClientInfo
  readonly muxer: string
  /** The method by which it was authenticated. */
  readonly method: string
  /** What both ends can. */
  readonly features: readonly string[]
  readonly accepted: Accepted
  /** Sends AuthOk. From then on the link belongs to the muxer. */
  welcome(fields: Fields<'AuthOk'>): void
  /** Sends the code of an error, and closes. */
  refuse(error: unknown): void
}

/** A link of a session that is there, if the proof holds. */
export interface DataLinkOffered {
  readonly type: 'data'
  readonly hello: DataHello
  /** Accepts it. What came behind the opening is in the stream. */
  take(): void
  refuse(error: unknown): void
}

/**
 * The server's half of the handshake on a stream, up to the point where the caller decides. What it throws was sent
 * to the peer before, without details that are not for it, and the stream is closed. The caller listens to `error` of the stream.
 */
export const authenticateClient = async (
  stream: Duplex,
  options: ServerHandshakeOptions
): Promise<Admitted | DataLinkOffered> => {
  const handshake = new ServerHandshake()
  try {
    return await admit(stream, handshake, options)
  } catch (error) {
    finish(stream, handshake.closingBytes(error))
    throw toRystraError(error)
  }
}

const finish = (stream: Duplex, last: Uint8Array | undefined): void => {
  if (stream.destroyed || stream.writableEnded) return
  // Drain what the peer still sends: closing over unread bytes would reset the connection, and lose the closing message.
  stream.resume()
  if (last === undefined) {
    stream.destroy()
    return
  }
  const timer = setTimeout(() => stream.destroy(), CLOSE_TIMEOUT_MS).unref()
  stream.end(last, () => {
    clearTimeout(timer)
    setImmediate(() => stream.destroy())
  })
}

const admit = async (
  stream: Duplex,
  handshake: ServerHandshake,
  options: ServerHandshakeOptions
): Promise<Admitted | DataLinkOffered> => {
  const { generation, peer, transport, features = [], signal } = options
  const { calls, registries } = generation
  const first = await ask(stream, handshake, signal)
  if (first.type === 'data') {
    return {
      type: 'data',
      hello: first.hello,
      take: () => {},
      refuse: (error) => finish(stream, handshake.refuse(error))
    }
  }
  if (first.type !== 'hello') throw new RystraError('protocol.unexpected')

  const client = clientOf(first.hello)
  const context = { peer, client, transport }
  const denied = await calls.hello(context)
  if (denied !== undefined)
    throw refusal(denied.retryAfter === undefined ? 'session.refused' : 'session.limit', denied.deny)

  const rounds = first.hello.features.includes(AUTH_ROUNDS)
  const { methods, unfit } = fitting(registries.authenticators, 'verify', peer, rounds)
  const method = choose(methods, first.hello.auth)
  const muxer = choose(first.hello.muxers, options.muxers)
  if (method === undefined)
    throw refusal(
      'auth.no-method',
      [`offered: ${first.hello.auth.join(', ')}`, `here: ${methods.join(', ')}`, ...unfit].join('; ')
    )
  if (muxer === undefined)
    throw refusal(
      'registry.unknown',
      `muxer; offered: ${first.hello.muxers.join(', ')}; here: ${options.muxers.join(', ')}`
    )
  const offered = [AUTH_ROUNDS, ...features]
  stream.write(handshake.accept({ muxer, method, agent: options.agent, server: options.server, features: offered }))
  if (first.hello.resume !== undefined) {
    options.onEarly?.(first.hello, (fields) => {
      const frame = stream.destroyed ? undefined : handshake.earlyAnswer(fields)
      if (frame !== undefined) stream.write(frame)
      return frame !== undefined
    })
  }

  const second = await proofOf(stream, handshake, signal)
  const binding = peer.tls?.binding
  const begun = await calls.auth({
    ...context,
    method,
    proof: second.proof,
    challenge: { transcript: second.transcript, clientId: client.id, ...(binding === undefined ? {} : { binding }) }
  })
  const answer = await decide(begun, signal, async (further) => {
    if (!handshake.mayChallenge) return undefined
    stream.write(handshake.challenge(further))
    return (await proofOf(stream, handshake, signal)).proof
  })
  if ('deny' in answer) throw refusal('auth.refused', answer.deny)
  const fault = identityFault(answer.identity.id)
  if (fault !== undefined) throw refusal('auth.refused', `the identity that ${method} found ${fault}`)
  signal.throwIfAborted()
  // A peer that is gone by now would leave a session that never ends.
  if (stream.destroyed) throw new RystraError('session.lost')
  return {
    type: 'session',
    client,
    muxer,
    method,
    features: common(features, first.hello.features),
    accepted: answer,
    welcome: (fields) => {
      stream.write(handshake.authenticated(fields))
      giveBack(stream, handshake)
    },
    refuse: (error) => finish(stream, handshake.refuse(error))
  }
}

const proofOf = async (
  stream: Duplex,
  handshake: ServerHandshake,
  signal: AbortSignal
): Promise<Extract<ServerRequest, { type: 'auth' }>> => {
  const request = await ask(stream, handshake, signal)
  if (request.type !== 'auth') throw new RystraError('protocol.unexpected')
  return request
}

/** The detail is for the log of this side: a peer that is not authenticated gets the code alone. */
const refusal = (code: ErrorCode, detail: string): RystraError => new RystraError(code, { side: 'server', detail })

const clientOf = ({ id, instance, agent }: Hello): ClientInfo => ({ id, instance, agent })

const giveBack = (stream: Duplex, handshake: ServerHandshake): void => {
  const rest = handshake.rest()
  if (rest.length > 0) stream.unshift(rest)
}

const ask = (stream: Duplex, handshake: ServerHandshake, signal: AbortSignal): Promise<ServerRequest> =>
  readUntil(stream, signal, (chunk) => {
    const request = handshake.push(chunk)
    if (request?.type === 'data') giveBack(stream, handshake)
    return request
  })
