import { RystraError } from '@rystra/model'
import type { InheritedSocket } from '@rystra/server'
import { closeSync } from 'node:fs'
import { addressesOf, openSockets } from './listen-fds.js'

/** The descriptor of the channel to the process before; its sockets follow. */
const CHANNEL_FD = 3
const FIRST_SOCKET = CHANNEL_FD + 1

const NAME = 'RYSTRA_SOCKETS'

/** What becomes of a socket, a letter for each: the supervisor keeps it, or the system chose its port. */
const KEPT = 'k'
const CHOSEN = 'c'
const NAMED = 'n'

/** A socket that is handed over. */
export type PassedSocket = Pick<InheritedSocket, 'passed' | 'chosen'>

/** For the process that is handed these sockets, in their order. */
export const socketEnvironment = (sockets: readonly PassedSocket[]): NodeJS.ProcessEnv => ({
  [NAME]: sockets.map(({ passed, chosen }) => (passed !== true ? KEPT : chosen === true ? CHOSEN : NAMED)).join('')
})

/**
 * The sockets that the process before has handed over; `undefined` when this process takes over from none. The variable is taken
 * out of the environment. Throws `usage.invalid` when a descriptor is no listening socket.
 */
export const passedSockets = (env: NodeJS.ProcessEnv = process.env): InheritedSocket[] | undefined => {
  const { [NAME]: kinds } = env
  delete env[NAME]
  if (kinds === undefined || process.send === undefined) return undefined
  const fds = [...kinds].map((_, index) => FIRST_SOCKET + index)
  // Sockets that the process before was itself started with are inherited by their old descriptors as well.
  for (const { fd } of openSockets()) if (fd >= FIRST_SOCKET + fds.length) closeSync(fd)
  return addressesOf(fds).map((address, index) => {
    const fd = FIRST_SOCKET + index
    if (address === undefined)
      throw new RystraError('usage.invalid', { detail: `${NAME}: ${fd} is no listening socket` })
    return { fd, ...address, passed: kinds[index] !== KEPT, chosen: kinds[index] === CHOSEN }
  })
}
