import { RystraError, toRystraError } from '@rystra/model'
import type { Message } from '@rystra/protocol'
import type { OpenOptions, OutgoingStream, Session } from '@rystra/session'
import { dialPeer } from './dial-peer.js'
import type { PeerAddress, PeerOptions } from './peer-options.js'

/** Milliseconds after an attempt that failed in which no other is made: visitors must not dial one that is down. */
const RETRY_MS = 500

/** A link to another server, or what became of the last attempt. */
interface Path {
  readonly session: Promise<Session>
  /** Once it is up. */
  up?: Session
  /** When it failed. */
  failed?: { readonly at: number; readonly error: RystraError }
}

/** Links from this server to others: one to each, dialed when the first stream needs it. */
export class Peers {
  readonly #options: PeerOptions
  /** By host and port, as a server that is restarted may have others. */
  readonly #paths = new Map<string, Path>()
  readonly #closing = new AbortController()

  constructor(options: PeerOptions) {
    this.#options = options
  }

  /** Opens a stream. Rejects with `cluster.refused`, `connect.*`, `tls.*` or what `Session.open` rejects with. */
  async open(
    to: PeerAddress,
    head: (flow: number | undefined) => Message,
    options: OpenOptions = {}
  ): Promise<OutgoingStream> {
    const session = await this.#session(to)
    try {
      return await session.open(head, options)
    } catch (error) {
      // It went while the stream was asked for: nothing was sent, so another link may carry it.
      if (!session.closed && !session.goingAway) throw error
      this.#paths.delete(keyOf(to))
      return (await this.#session(to)).open(head, options)
    }
  }

  /** Sends a message where a link is up; one that is not is not worth it. */
  tell(to: PeerAddress, message: Message): void {
    this.#paths.get(keyOf(to))?.up?.send(message)
  }

  /** Streams that are open. */
  get streams(): number {
    let streams = 0
    for (const { up } of this.#paths.values()) streams += up?.link.streams ?? 0
    return streams
  }

  #session(to: PeerAddress): Promise<Session> {
    const key = keyOf(to)
    const { clock, log } = this.#options
    const known = this.#paths.get(key)
    if (known?.failed === undefined || clock.now() - known.failed.at < RETRY_MS) {
      if (known?.failed !== undefined) return Promise.reject(known.failed.error)
      if (known !== undefined) return known.session
    }
    const path: Path = { session: this.#dial(to, key) }
    this.#paths.set(key, path)
    path.session.then(
      (session) => {
        path.up = session
      },
      (cause: unknown) => {
        const error = toRystraError(cause)
        path.failed = { at: clock.now(), error }
        log.warn({ err: error, peer: to.name }, 'another server of the cluster cannot be reached')
      }
    )
    return path.session
  }

  #dial(to: PeerAddress, key: string): Promise<Session> {
    const { clock, config } = this.#options
    const timeout = new AbortController()
    // One that takes longer is gone, as with its lease: visitors must not wait for it after a line is back.
    const cancel = clock.after(config.lease, () =>
      timeout.abort(new RystraError('protocol.timeout', { side: 'server', detail: to.name }))
    )
    const signal = AbortSignal.any([this.#closing.signal, timeout.signal])
    const closed = (session: Session): void => {
      if (this.#paths.get(key)?.up === session) this.#paths.delete(key)
    }
    return dialPeer(to, this.#options, signal, closed).finally(cancel)
  }

  /** The server is gone from the directory: its link ends. */
  forget(to: PeerAddress): void {
    const path = this.#paths.get(keyOf(to))
    this.#paths.delete(keyOf(to))
    path?.session.then(
      (session) => session.close(),
      () => {}
    )
  }

  close(): void {
    this.#closing.abort(new RystraError('session.closing', { side: 'server' }))
    for (const { session } of this.#paths.values()) {
      session.then(
        (open) => open.close(),
        () => {}
      )
    }
    this.#paths.clear()
  }
}

const keyOf = ({ name, host, port }: PeerAddress): string => `${name} ${host} ${port}`
