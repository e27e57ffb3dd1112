import type { ConnectConfig } from '@rystra/config'
import type { GenerationRef } from '@rystra/kernel'
import { type Logger, RystraError, type SessionInfo } from '@rystra/model'
import type { DialOptions, Link } from '@rystra/plugin'
import { dataLinkOpening, PUSH } from '@rystra/protocol'
import { authenticateToServer, type DialDataLink } from '@rystra/session'
import { ClientSession, type ClientSessionEvents, type SessionParts } from './client-session.js'
import type { KnownServer } from './known-server.js'
import type { ClientState } from './state.js'
import { agent } from './version.js'

/** Milliseconds for dialing and the handshake together. */
const CONNECT_TIMEOUT_MS = 15_000

/** How a session is dialed. */
export interface DialSession {
  readonly server: KnownServer
  /** Random, of this process. */
  readonly instance: string
  /** Gives up. */
  readonly signal: AbortSignal
  /** See `ClientHandshakeOptions.checkServer`; given the id of the server, if it tells one. */
  readonly checkServer: (id: string | undefined) => void
}

/** Dials, authenticates, and opens the control stream. */
export const connectSession = async (
  { server, instance, signal: stop, checkServer }: DialSession,
  state: ClientState,
  events: ClientSessionEvents
): Promise<ClientSession> => {
  const { config, clock, kernel, log } = state
  const generation = kernel.current
  const timeout = new AbortController()
  const cancel = clock.after(CONNECT_TIMEOUT_MS, () =>
    timeout.abort(new RystraError('protocol.timeout', { side: 'server' }))
  )
  const signal = AbortSignal.any([stop, timeout.signal])
  let link: Link | undefined
  try {
    link = await dial(server.options, generation, signal)
    const stream = link.kind === 'bytes' ? link.duplex : await link.open(signal)
    stream.on('error', () => {})
    // Another identity, id or server must not send what is meant for this one.
    const target = JSON.stringify([server.options, config.id, generation.id])
    const { done, ...early } = await state.resume.offer(target, link, generation, clock.now())
    const { ack, ok, secret } = await authenticateToServer(stream, {
      offer: {
        id: config.id,
        instance,
        agent,
        muxers: link.kind === 'bytes' ? offeredMuxers(config.connect, generation) : ['native'],
        features: [PUSH],
        ...early
      },
      authenticators: generation.registries.authenticators,
      peer: link.peer,
      signal,
      checkServer: (ack) => checkServer(ack.server)
    }).finally(done)
    state.resume.keep(target, ok, clock.now())
    const info: SessionInfo = {
      id: ok.session,
      identity: { id: ok.identity },
      client: { id: config.id, instance, agent },
      peer: link.peer,
      transport: server.options.transport,
      muxer: ack.muxer,
      server: server.name,
      since: clock.now()
    }
    const made = new ClientSession(
      {
        info,
        server,
        generation,
        features: ack.features,
        wrap: wrapperOf(link, ack.muxer, generation, log),
        control: link.kind === 'bytes' ? undefined : stream,
        // To the server of this session, whatever the configuration says by now.
        dial: secret === undefined ? undefined : dialerOf(server.options, generation, secret, ok.session),
        // The server's rhythm; three missed beats are one too many.
        heartbeat: { interval: ok.heartbeat, timeout: 3 * ok.heartbeat }
      },
      state,
      events
    )
    await made.start(signal)
    return made
  } catch (error) {
    if (link?.kind === 'bytes') link.duplex.destroy()
    else link?.destroy()
    throw error
  } finally {
    cancel()
  }
}

/** Functions that a session keeps are made where they hold on to nothing of its handshake. */
const wrapperOf =
  (link: Link, muxer: string, { registries }: GenerationRef, log: Logger): SessionParts['wrap'] =>
  (links) =>
    link.kind === 'bytes' ? registries.muxers.get(muxer).wrap(link, 'client', { log, links }) : link

const dial = (server: DialOptions, { registries }: GenerationRef, signal: AbortSignal): Promise<Link> =>
  registries.transports.get(server.transport).dial(server, signal)

/** The one that is configured; the configuration names none only where none is registered. */
const offeredMuxers = ({ muxer }: ConnectConfig, { registries }: GenerationRef): string[] => {
  return muxer === undefined ? [] : [registries.muxers.get(muxer).name]
}

const dialerOf = (
  server: DialOptions,
  generation: GenerationRef,
  secret: Uint8Array,
  session: string
): DialDataLink => {
  let counter = 0
  return async (signal, opens) => {
    const link = await dial(server, generation, signal)
    if (link.kind !== 'bytes') {
      link.destroy()
      throw new RystraError('internal', { detail: 'a transport that multiplexes has no data links' })
    }
    link.duplex.write(dataLinkOpening(secret, session, counter++, opens))
    return link
  }
}
