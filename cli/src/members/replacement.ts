import { isRystraError, toRystraError, toWireError } from '@rystra/model'
import type { Clock } from '@rystra/plugin'
import { TAKE_TIMEOUT_MS, upgradeFailed } from '../run/successor.js'
import type { PassedSocket } from '../service/successor-environment.js'
import type { Member } from './member.js'
import type { SuccessorRequest } from './messages.js'
import type { HandedSockets, ReceivedHandle } from './handed-sockets.js'

/** What a {@link Replacement} works with. */
export interface ReplacementOptions {
  readonly clock: Clock
  /** Starts the process that takes over. */
  start(handed: HandedSockets): Member
  /** It accepts from now on. */
  onTaken(next: Member): void
}

/** One change of the process of a member, step by step as the present one says. */
export class Replacement {
  readonly #from: Member
  readonly #options: ReplacementOptions
  #handles: ReceivedHandle[] = []
  /** It does not accept yet. */
  #next: Member | undefined
  #taken: Member | undefined

  constructor(from: Member, options: ReplacementOptions) {
    this.#from = from
    this.#options = options
  }

  /** Never rejects: the member is told what fails. */
  async step(message: SuccessorRequest, handle: ReceivedHandle | undefined): Promise<void> {
    try {
      if (message.successor === 'socket') {
        if (handle !== undefined) this.#handles.push(handle)
      } else if (message.successor === 'start') await this.#start(message.timeout, message.sockets)
      else if (message.successor === 'take') await this.#take()
      else this.#taken?.send({ published: message.published })
    } catch (cause) {
      this.end()
      const error = toRystraError(cause)
      // Of a process that says why: the one that asks knows which member it is.
      const { message } = isRystraError(error.cause) ? error.cause : error
      this.#from.send({ successor: { error: toWireError(upgradeFailed(message, cause)) } })
    }
  }

  async #start(timeout: number, sockets: readonly PassedSocket[]): Promise<void> {
    const handles = this.#handles
    this.#handles = []
    try {
      if (handles.length !== sockets.length)
        throw upgradeFailed(`${handles.length} of ${sockets.length} sockets have arrived`)
      this.#next = this.#options.start({ sockets, handles })
    } finally {
      for (const handle of handles) handle.close()
    }
    await this.#within(this.#next.ready, timeout, 'ready')
    this.#from.send({ successor: { pid: this.#next.pid } })
  }

  async #take(): Promise<void> {
    const next = this.#next
    if (next === undefined) throw upgradeFailed('it has ended')
    next.send({ take: true })
    await this.#within(next.accepts, TAKE_TIMEOUT_MS, 'accepting')
    this.#taken = next
    this.#next = undefined
    this.#options.onTaken(next)
    this.#from.send({ successor: { pid: next.pid } })
  }

  async #within(done: Promise<void>, timeout: number, what: string): Promise<void> {
    let cancel = (): void => {}
    const late = new Promise<never>((_, reject) => {
      cancel = this.#options.clock.after(timeout, () => reject(upgradeFailed(`not ${what} within ${timeout} ms`)))
    })
    await Promise.race([done, late]).finally(() => cancel())
  }

  /** Nothing is left of what does not accept yet. */
  end(): void {
    for (const handle of this.#handles) handle.close()
    this.#handles = []
    this.#next?.kill()
    this.#next = undefined
  }
}
