import type { Logger } from '@rystra/model'
import { executionAsyncResource } from 'node:async_hooks'
import { Server } from 'node:net'
import { faceOf } from './accepted-sockets.js'

/** A connection, a session of one, or a stream of one. */
interface Closable {
  destroy(error?: Error): unknown
  readonly session?: Closable
  readonly remoteAddress?: string
  readonly remotePort?: number
}

const isClosable = (thing: unknown): thing is Closable =>
  typeof thing === 'object' &&
  thing !== null &&
  typeof (thing as { destroy?: unknown }).destroy === 'function' &&
  typeof (thing as { on?: unknown }).on === 'function'

/**
 * The connection that the code which is running now was called for. Node keeps the resource of each callback, whether or
 * not anything asks for it: the handle of a socket, the request of a parser, or the arguments of a deferred event.
 */
const currentConnection = (): Closable | undefined => {
  const resource = executionAsyncResource() as { socket?: unknown; args?: unknown[] } & Record<symbol, unknown>
  const owner = Object.getOwnPropertySymbols(resource).find(({ description }) => description === 'owner_symbol')
  const found = [owner === undefined ? undefined : resource[owner], resource.socket, ...(resource.args ?? [])].find(
    isClosable
  )
  if (found === undefined || found instanceof Server) return undefined
  return isClosable(found.session) ? found.session : found
}

/** The package of the first file in a stack that is not Node's: the one that threw, or that made Node throw. */
const packageIn = (stack = ''): string | undefined =>
  /node_modules\/((?:@[^/\s]+\/)?[^/\s]+)\/(?!.*node_modules)/.exec(stack)?.[1] ??
  /\/(?:extensions|framework)\/([^/\s]+)\//.exec(stack)?.[1]

/**
 * The last fence of a process: an exception that an event handler of a connection throws ends that connection and is
 * logged. One that belongs to no connection ends the process, as it would without the fence. The answer removes it.
 */
export const containExceptions = (log: Logger): (() => void) => {
  const contain = (err: unknown): void => {
    const connection = currentConnection()
    if (connection === undefined) {
      remove()
      setImmediate(() => {
        throw err
      })
      return
    }
    const { remoteAddress, remotePort } = connection
    const fields = {
      err,
      peer: `${remoteAddress ?? 'unknown'}:${remotePort ?? 0}`,
      extension: faceOf(connection)?.extension ?? packageIn((err as Error | undefined)?.stack)
    }
    log.error(fields, 'an event handler threw: its connection was closed')
    if ('once' in connection) (connection as unknown as NodeJS.EventEmitter).on('error', () => {})
    connection.destroy()
  }
  const remove = (): void => void process.off('uncaughtException', contain)
  process.on('uncaughtException', contain)
  return remove
}
