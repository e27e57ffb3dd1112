import type { PassedSocket } from '../service/successor-environment.js'

/** A socket of Node that can be sent to another process. */
export interface SentHandle {
  readonly fd: number
}

/** A socket that a member has sent. */
export interface ReceivedHandle extends SentHandle {
  close(): void
}

/** Sockets for a process that takes over from a member. */
export interface HandedSockets {
  readonly sockets: readonly PassedSocket[]
  readonly handles: readonly SentHandle[]
}
