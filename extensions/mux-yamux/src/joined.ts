import type { Detached, Offloaded } from '@rystra/bytes'
import { errnoError, OVER } from '@rystra/native'
import { type JoinedOpening, RystraError } from '@rystra/plugin'
import type { JoinedStream, NativeLink } from './native-link.js'
import type { Receiving } from './receiving.js'
import type { Sending } from './sending.js'

/** What a joined stream tells. */
export interface JoinedOwner {
  readonly id: number
  readonly sending: Sending
  readonly receiving: Receiving
  acknowledged(): void
  endSent(): void
  /** Nothing more will happen. */
  joinedOver(error: Error | undefined): void
}

/** A stream that the native part has joined with a socket. */
export class Joined implements JoinedStream, Offloaded {
  readonly #owner: JoinedOwner
  readonly #link: NativeLink
  readonly #socket: Detached
  #over = false
  #sent = 0
  #received = 0
  #heard = 0
  /** Until the other end has accepted it. */
  #opening: JoinedOpening | undefined

  private constructor(owner: JoinedOwner, link: NativeLink, socket: Detached) {
    this.#owner = owner
    this.#link = link
    this.#socket = socket
  }

  /** `undefined`: it could not, and nothing has changed. */
  static of(
    owner: JoinedOwner,
    link: NativeLink,
    socket: Detached,
    acknowledged: boolean,
    head: Buffer | undefined
  ): Joined | undefined {
    const { sending, receiving, id } = owner
    if (!sending.idle || !receiving.settled) return undefined
    const joined = new Joined(owner, link, socket)
    const { unread, granted } = receiving.rest()
    const { credit, window, owed, ended } = receiving.position
    const owned = socket.give !== undefined
    const state = {
      sendWindow: sending.window,
      credit,
      window,
      owed,
      granted,
      acknowledged,
      ended,
      unread,
      head,
      owned
    }
    if (!link.join(id, socket, joined, state)) return undefined
    receiving.handOver()
    return joined
  }

  /** A stream that is opened so. `undefined`: it could not. */
  static opening(owner: JoinedOwner, link: NativeLink, socket: Detached, opening: JoinedOpening): Joined | undefined {
    const joined = new Joined(owner, link, socket)
    joined.#opening = opening
    if (!link.open(owner.id, socket, joined, opening.head, opening.answer)) return undefined
    owner.receiving.handOver()
    return joined
  }

  get written(): number {
    return this.#over ? this.#sent : (this.#link.stats(this.#owner.id)[0] as number)
  }

  get received(): number {
    return this.#over ? this.#received : (this.#link.stats(this.#owner.id)[1] as number)
  }

  /** Bytes that wait for the socket. */
  get waiting(): number {
    return this.#over ? 0 : (this.#link.stats(this.#owner.id)[2] as number)
  }

  /** Bytes that the peer may send. */
  get credit(): number {
    return this.#over ? 0 : (this.#link.stats(this.#owner.id)[3] as number)
  }

  /** Whether bytes of the socket wait for the window of the peer. */
  get blocked(): boolean {
    return !this.#over && this.#link.stats(this.#owner.id)[4] === 1
  }

  /** Whether bytes were received since the last call. */
  heard(): boolean {
    const { received } = this
    const more = received > this.#heard
    this.#heard = received
    return more
  }

  drop(): void {
    if (this.#over) return
    this.#sent = this.written
    this.#received = this.received
    this.#over = true
    this.#link.drop(this.#owner.id)
  }

  leave(): void {
    if (!this.#over) this.#link.leave(this.#owner.id)
  }

  acknowledged(): void {
    this.#owner.acknowledged()
  }

  endSent(): void {
    this.#owner.endSent()
  }

  ready(): void {
    const opening = this.#opening
    this.#opening = undefined
    opening?.onReady()
  }

  answered(): void {
    const opening = this.#opening
    const accepted = opening?.onAnswer(this.#link.answer(this.#owner.id)) ?? 0
    if (accepted === 0 || this.#over) return
    this.#opening = undefined
    this.#link.accept(this.#owner.id, accepted)
  }

  endReceived(): void {
    this.#owner.receiving.ended = true
    this.#opening?.onEnd()
  }

  joinedOver(reason: number, sent: number, received: number): void {
    this.#over = true
    this.#sent = sent
    this.#received = received
    if (reason === 0) this.#socket.over()
    else if (reason > 0) this.#socket.over(errnoError(reason))
    this.#owner.joinedOver(errorOf(reason))
  }
}

const errorOf = (reason: number): Error | undefined => {
  if (reason === 0) return undefined
  if (reason > 0) return errnoError(reason)
  return new RystraError('stream.reset', {
    detail: reason === OVER.reset ? 'by the peer' : 'peer sent data after its end'
  })
}
