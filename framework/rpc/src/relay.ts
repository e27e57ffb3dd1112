import { pump } from '@rystra/bytes'
import { RystraError, type SessionInfo, toRystraError } from '@rystra/model'
import type { Channel, ChannelOpener, ChannelWork } from '@rystra/plugin'
import type { Link, Links } from './links.js'
import { mayRelay, type RelayRule } from './relay-rules.js'
import { RelayedCalls } from './relayed-work.js'
import type { ChannelHead } from './session/port.js'

/** Passes channels of clients on that are for another client, or for another server of the cluster. Of frames the headers are read, for drains. */
export class Relays {
  readonly #links: Links
  readonly #rules: readonly RelayRule[]

  constructor(links: Links, rules: readonly RelayRule[] = []) {
    this.#links = links
    this.#rules = rules
  }

  /** Why a channel does not get where it is for. */
  refusal(head: ChannelHead, caller: SessionInfo): string | undefined {
    const cluster = this.#links.cluster()
    if (head.server !== undefined) return cluster === undefined ? 'this server is not in a cluster' : undefined
    const target = this.#target(head, caller)
    return typeof target === 'string' ? target : undefined
  }

  /** The client that a channel is for, or why it does not get there. */
  #target({ to = '', identity }: ChannelHead, caller: SessionInfo): Link | string {
    try {
      return this.#links.find(to, { identity }, (called) => mayRelay(this.#rules, caller, called)) ?? `no way to ${to}`
    } catch (error) {
      return (error as Error).message
    }
  }

  pass(channel: Channel, head: ChannelHead): void {
    const { session: caller } = channel.info
    const { kind, session, server } = head
    if (server !== undefined) {
      const opener = this.#links.cluster()?.channelsTo(server, caller)
      if (opener === undefined) channel.close(new RystraError('channel.refused'))
      else relayChannel(channel, opener, { kind, session })
      return
    }
    const from = { client: caller.client.id, identity: caller.identity.id, session: caller.id }
    const target = this.#target(head, caller)
    if (typeof target === 'string') channel.close(new RystraError('channel.refused', { detail: target }))
    else relayChannel(channel, target.channels, { kind, session, from })
  }
}

/** Joins a channel with a new one on another session: bytes and datagrams pass as they are. */
const relayChannel = (channel: Channel, target: ChannelOpener, details: Readonly<Record<string, unknown>>): void => {
  const datagrams = channel.datagrams !== undefined
  const gone = new AbortController()
  channel.stream.onClose = () => gone.abort()
  channel.work = openStream
  target
    .openChannel(channel.info.name, { details, datagrams, signal: gone.signal })
    .then((other) => {
      join(channel, other, details['kind'] === 'calls')
    })
    .catch((error) => channel.close(toRystraError(error, 'channel.refused')))
}

/** The end of one session is told as an end on both. */
const endTogether = (...channels: readonly Channel[]): void => {
  for (const channel of channels)
    channel.onClosing = () => {
      for (const { stream } of channels) stream.end()
    }
}

/** What a drain waits for while a stream is open. */
const openStream: ChannelWork = { inFlight: 1, goAway: () => {} }

const join = (channel: Channel, other: Channel, isCalls: boolean): void => {
  if (channel.stream.closed) {
    other.close(new RystraError('stream.reset'))
    return
  }
  const attach = (): void => {
    const [here, there] = [channel.datagrams, other.datagrams]
    if (here === undefined || there === undefined) return
    here.onMessage = (message) => void there.send(message)
    there.onMessage = (message) => void here.send(message)
  }
  other.accepted.then(attach).catch((error) => channel.close(toRystraError(error)))
  if (isCalls) {
    // A stream that is cut must not look as if it were complete.
    endTogether(channel, other)
    pump(...new RelayedCalls().watch(channel, other), () => {})
    return
  }
  channel.work = openStream
  other.work = openStream
  pump(channel.stream, other.stream, () => {})
}
