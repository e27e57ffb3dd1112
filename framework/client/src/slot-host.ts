import type { RystraError } from '@rystra/model'
import type { ClientSession, ClientSessionEvents } from './client-session.js'
import type { ServerList } from './server-list.js'
import type { ClientState } from './state.js'

/** A slot, as the others see it. */
export interface OtherSlot {
  readonly session: ClientSession | undefined
  /** Whether it has a session, or is about to. */
  readonly active: boolean
  /** Whether it is with a server, by its address or by its id. */
  isWith(name: string, id: string | undefined): boolean
  /** Whether its session, or its dial, has this address. */
  usesAddress(name: string): boolean
}

/** What a slot shares with the others. */
export interface SlotHost {
  readonly state: ClientState
  readonly servers: ServerList
  /** Random, of this process. */
  readonly instance: string
  /** Aborted when no session is wanted any more. */
  readonly stop: AbortSignal
  /** The other slots: they are with other servers. */
  others(slot: OtherSlot): readonly OtherSlot[]
  onUp(session: ClientSession): void
  /** What is published on it is gone. */
  onDown(session: ClientSession, error: RystraError | undefined): void
  onUnregistered: ClientSessionEvents['onUnregistered']
  onMoved: ClientSessionEvents['onMoved']
  onPushed: ClientSessionEvents['onPushed']
  /** Resolves when every proxy is answered for. */
  answered(): Promise<void>
  /** Called with what ends the client for good. */
  fail(error: RystraError): void
}
