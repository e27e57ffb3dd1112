import { exit, hasTerminal, startedOnTerminal } from '../terminal.js'

/** Signals that end the command. */
type StopSignal = 'SIGINT' | 'SIGTERM' | 'SIGHUP'

/** What a shell expects of a process that a signal ended. */
const exitCodes = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const

/** A second signal within this time is the first once more: `npx` passes on what the terminal has sent to us as well. */
const ECHO_MS = 300

const PARENT_CHECK_MS = 500

const ignore = (): void => {}

/** What a command does on signals. */
export interface SignalHandlers {
  /** The first SIGINT or SIGTERM; the next ends the process. `reason` is set for any other cause. */
  stop(reason?: string): void
  /** SIGHUP, where there is a configuration to read again. */
  readonly reload?: (() => void) | undefined
}

/**
 * Handles signals from its making on: as process 1 of a container a process ignores each signal that it does not handle.
 * Until {@link attach} a signal ends the process.
 *
 * SIGUSR1 and SIGUSR2, by which other servers write a new log or start a new process, do nothing: Node would open a port for debuggers
 * at the first (ADR 17), and the system would end the process at the second.
 *
 * SIGHUP reloads, where there is something to reload; else it is ignored without a terminal, as after `nohup`, which
 * Node does not pass on; else it stops. From a terminal that is gone it always stops.
 */
export class StopSignals {
  readonly #parent = process.ppid
  #watch: NodeJS.Timeout | undefined
  #handlers: SignalHandlers | undefined
  #stoppedAt: number | undefined

  /** @param member Whether a parent process passes on what it is told: the terminal signals the whole group. */
  constructor({ member = false }: { readonly member?: boolean } = {}) {
    if (member) process.once('disconnect', () => this.stop('SIGTERM', 'the process that started it has ended'))
    for (const signal of ['SIGUSR1', 'SIGUSR2'] as const)
      if (!process.listeners(signal).includes(ignore)) process.on(signal, ignore)
    process.on('SIGINT', member ? ignore : this.#interrupt)
    process.on('SIGTERM', this.#terminate)
    process.on('SIGHUP', member ? ignore : this.#hangUp)
    // npm hands SIGTERM to a shell that ends without passing it on, which would leave this process behind.
    if (process.env['npm_lifecycle_event'] !== undefined && this.#parent > 1)
      this.#watch = setInterval(() => {
        if (process.ppid !== this.#parent) this.stop('SIGTERM', 'the npm that started it has ended')
      }, PARENT_CHECK_MS).unref()
  }

  attach(handlers: SignalHandlers): void {
    this.#handlers = handlers
  }

  /** Stops as a signal does. */
  stop(signal: StopSignal, reason?: string): void {
    const now = performance.now()
    if (this.#stoppedAt !== undefined && now - this.#stoppedAt < ECHO_MS) return
    const handlers = this.#stoppedAt === undefined ? this.#handlers : undefined
    if (handlers === undefined) exit(exitCodes[signal])
    this.#stoppedAt = now
    clearInterval(this.#watch)
    handlers?.stop(reason)
  }

  readonly #interrupt = (): void => this.stop('SIGINT')
  readonly #terminate = (): void => this.stop('SIGTERM')
  readonly #hangUp = (): void => {
    if (startedOnTerminal && !hasTerminal()) this.stop('SIGHUP', 'the terminal was closed')
    else if (this.#handlers?.reload !== undefined) this.#handlers.reload()
    else if (startedOnTerminal) this.stop('SIGHUP', 'hangup')
  }
}
