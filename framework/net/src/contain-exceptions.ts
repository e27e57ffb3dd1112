import type { Logger } from '@rystra/model'
import { executionAsyncResource } from 'node:async_hooks'
import dgram from 'node:dgram'
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
const current = (): Closable | dgram.Socket | undefined => {
  const resource = executionAsyncResource() as { socket?: unknown; args?: unknown[] } & Record<symbol, unknown>
  const owner = Object.getOwnPropertySymbols(resource).find(({ description }) => description === 'owner_symbol')
  const candidates = [owner === undefined ? undefined : resource[owner], resource.socket, ...(resource.args ?? [])]
  const datagrams = candidates.find((one) => one instanceof dgram.Socket)
  if (datagrams !== undefined) return datagrams
  const found = candidates.find(isClosable)
  if (found === undefined || found instanceof Server) return undefined
  return isClosable(found.session) ? found.session : found
}

/** The package of the first file in a stack that is not Node's: the one that threw, or that made Node throw. */
const packageIn = (stack = ''): string | undefined =>
  /node_modules\/((?:@[^/\s]+\/)?[^/\s]+)\/(?!.*node_modules)/.exec(stack)?.[1] ??
  /\/(?:extensions|framework)\/([^/\s]+)\//.exec(stack)?.[1]

/** The extension whose code threw, as {@link containExceptions} needs to know it. */
interface ExtensionFault {
  readonly extension: string
  /** File, line and column. */
  readonly at: string
  /** Whether no code of the framework was interrupted. */
  readonly contained: boolean
}

/** How exceptions are contained. */
export interface ContainOptions {
  /** The extension behind an error. @default none is known: exceptions of timers and promises end the process */
  blame?(error: unknown): ExtensionFault | undefined
}

/**
 * The last fence of a process. An exception that an event handler of a connection throws ends that connection; one of a handler
 * of datagrams, which all peers of a socket share, drops the datagram; one that code of an extension throws in a timer, with no
 * frame of the framework below, and a rejection that nothing awaits end nothing. All are logged, with the extension where it is
 * known. Any other ends the process, as it would without the fence. The answer removes it.
 */
export const containExceptions = (log: Logger, { blame }: ContainOptions = {}): (() => void) => {
  const giveUp = (err: unknown, fault: ExtensionFault | undefined): void => {
    if (fault !== undefined) log.error({ err, ...fields(fault) }, 'an extension threw, and the process cannot go on')
    remove()
    setImmediate(() => {
      throw err
    })
  }
  const contain = (err: unknown): void => {
    const fault = blame?.(err)
    const connection = current()
    if (connection instanceof dgram.Socket) {
      log.error(
        { err, ...(fault === undefined ? {} : fields(fault)) },
        'a handler of datagrams threw: the datagram was dropped'
      )
    } else if (connection !== undefined) {
      closeFor(err, connection, fault, log)
    } else if (fault?.contained === true) {
      log.error({ err, ...fields(fault) }, 'an extension threw in a timer or an event handler of its own')
    } else giveUp(err, fault)
  }
  const reject = (err: unknown): void => {
    const fault = blame?.(err)
    // Nothing waits for the promise: no code was interrupted.
    if (fault === undefined) log.error({ err }, 'a promise was rejected that nothing awaits')
    else log.error({ err, ...fields(fault) }, 'an extension left a promise rejected that nothing awaits')
  }
  const remove = (): void => {
    process.off('uncaughtException', contain)
    process.off('unhandledRejection', reject)
  }
  process.on('uncaughtException', contain)
  process.on('unhandledRejection', reject)
  return remove
}

const fields = ({ extension, at }: ExtensionFault): Pick<ExtensionFault, 'extension' | 'at'> => ({ extension, at })

const closeFor = (err: unknown, connection: Closable, fault: ExtensionFault | undefined, log: Logger): void => {
  const { remoteAddress, remotePort } = connection
  const extension = fault?.extension ?? faceOf(connection)?.extension ?? packageIn((err as Error | undefined)?.stack)
  const peer = `${remoteAddress ?? 'unknown'}:${remotePort ?? 0}`
  const at = fault === undefined ? {} : { at: fault.at }
  log.error({ err, peer, extension, ...at }, 'an event handler threw: its connection was closed')
  if ('once' in connection) (connection as unknown as NodeJS.EventEmitter).on('error', () => {})
  connection.destroy()
}
