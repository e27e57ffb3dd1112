import type { Logger } from '@rystra/model'
import { executionAsyncResource } from 'node:async_hooks'
import dgram from 'node:dgram'
import { Server } from 'node:net'
import { inspect } from 'node:util'
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

const NO_PLACE =
  'a value without a stack was thrown in a timer or an event handler, and the process cannot go on: nothing says where; `node --trace-uncaught` does, and an Error has a place'

/** How exceptions are contained. */
export interface ContainOptions {
  /** The extension behind an error. @default none is known: exceptions of timers and promises end the process */
  blame?(error: unknown): ExtensionFault | undefined
  /** The log without what options of extensions mark as secret: their errors may quote it. @default the log as it is */
  secretLog?(log: Logger): Logger
}

/**
 * The last fence of a process. An exception that an event handler of a connection throws ends that connection; one of a handler
 * of datagrams, which all peers of a socket share, drops the datagram; one that code of an extension throws in a timer, with no
 * frame of the framework below, and a rejection that nothing awaits end nothing. All are logged, with the extension where it is
 * known. Any other ends the process, as it would without the fence. The answer removes it.
 */
export const containExceptions = (given: Logger, { blame, secretLog }: ContainOptions = {}): (() => void) => {
  const log = secretLog?.(given) ?? given
  const giveUp = (err: unknown, fault: ExtensionFault | undefined): void => {
    if (fault !== undefined) log.error({ err, ...fields(fault) }, 'an extension threw, and the process cannot go on')
    else if (typeof (err as Error | null | undefined)?.stack !== 'string') log.error({ thrown: textOf(err) }, NO_PLACE)
    remove()
    setImmediate(() => {
      throw err
    })
  }
  const contain = (thrown: unknown): void => {
    const err = readable(thrown)
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
  const reject = (thrown: unknown): void => {
    const err = readable(thrown)
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

/** What was thrown, or an error in its place where its fields throw: nothing of the fence may. */
const readable = (thrown: unknown): unknown => {
  if ((typeof thrown !== 'object' && typeof thrown !== 'function') || thrown === null) return thrown
  try {
    const { name, message, stack, code, cause } = thrown as Record<string, unknown>
    void [name, message, stack, code, cause]
    return thrown
  } catch {
    return new Error('a value was thrown whose fields throw when they are read')
  }
}

/** A thrown value in one line, whatever it is. */
const textOf = (value: unknown): string =>
  inspect(value, { depth: 0, breakLength: Number.POSITIVE_INFINITY }).slice(0, 200)

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
