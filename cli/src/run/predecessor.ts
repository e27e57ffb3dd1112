import { toRystraError, toWireError } from '@rystra/model'
import type { InheritedSocket } from '@rystra/server'
import { passedSockets } from '../service/successor-environment.js'
import type { FromMember } from '../members/messages.js'
import { exit } from '../terminal.js'
import type { FromSuccessor, ToSuccessor } from './successor.js'

/** The process that this one takes over from. */
export interface Predecessor {
  readonly sockets: readonly InheritedSocket[]
  /** Resolves when this process is to accept: it was told so, or the process before has ended. */
  readonly begin: Promise<void>
  /** What was published there when it accepted no more; nothing when it has ended before. */
  readonly published: Promise<readonly string[] | undefined>
  /** Everything is started, and waits for {@link begin}. @param message Of a member: where it listens */
  ready(message?: FromMember): void
  /** Tells why this process does not start, and ends it. */
  fail(cause: unknown): void
}

const tell = (message: FromSuccessor | FromMember, then: () => void = () => {}): void => {
  if (process.connected && process.send !== undefined) process.send(message, then)
  else then()
}

/** `undefined` for a process that takes over from none. */
export const predecessor = (): Predecessor | undefined => {
  const sockets = passedSockets()
  if (sockets === undefined) return undefined
  const gone = new Promise<undefined>((resolve) => void process.once('disconnect', () => resolve(undefined)))
  let take: () => void
  let list: (published: readonly string[]) => void
  const taking = new Promise<void>((resolve) => {
    take = resolve
  })
  const listed = new Promise<readonly string[]>((resolve) => {
    list = resolve
  })
  process.on('message', (message: ToSuccessor) => {
    if ('take' in message) take()
    else if ('published' in message) list(message.published)
  })
  const begin = Promise.race([taking, gone])
  const fail = (cause: unknown): void => {
    const error = toRystraError(cause)
    tell({ failed: toWireError(error) }, () => exit(error.exitCode))
  }
  return {
    sockets,
    begin,
    published: Promise.race([listed, gone]),
    ready: (message = undefined) => {
      tell(message ?? { ready: true })
      // The listeners were asked before: in the next turn they listen.
      begin.then(() => setImmediate(() => tell({ serves: true }))).catch(fail)
    },
    fail
  }
}
