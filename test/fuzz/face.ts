import type net from 'node:net'
import type { Messages } from './messages.js'

/** One place where a peer's bytes come in. */
export interface Face {
  readonly name: string
  readonly messages: Messages
  /** A new connection on which the peer is hostile. */
  connect(): Promise<net.Socket>
}
