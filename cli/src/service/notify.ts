import { execFile } from 'node:child_process'

/** Runs `systemd-notify`; a replacement for tests. */
export type Send = (assignments: readonly string[]) => Promise<void>

const TIMEOUT_MS = 5000

/** Node has no unix datagrams: the command that comes with systemd sends them, and waits until they have been read. */
const bySystemdNotify: Send = (assignments) =>
  new Promise((resolve) => {
    // Not there, or not allowed to: systemd finds out by its own timeout, and nothing else depends on it.
    execFile('systemd-notify', [...assignments], { timeout: TIMEOUT_MS }, () => resolve())
  })

/** Microseconds of CLOCK_MONOTONIC, which systemd wants with RELOADING=1. */
const monotonic = (): string => String(process.hrtime.bigint() / 1000n)

/**
 * Tells systemd how the process is doing (sd_notify), where it runs as a unit of `Type=notify`; does nothing elsewhere.
 * Messages are sent one after the other, in their order.
 */
export class ServiceNotifier {
  readonly #send: Send | undefined
  readonly #watchdog: number
  #last: Promise<void> = Promise.resolve()
  #timer: NodeJS.Timeout | undefined
  #feeding = false
  #replaced = false

  constructor(env: NodeJS.ProcessEnv = process.env, send: Send = bySystemdNotify, pid = process.pid) {
    this.#send = env['NOTIFY_SOCKET'] === undefined || env['NOTIFY_SOCKET'] === '' ? undefined : send
    const forThis = env['WATCHDOG_PID'] === undefined || env['WATCHDOG_PID'] === String(pid)
    const microseconds = Number(env['WATCHDOG_USEC'] ?? 0)
    // Twice within the time that systemd waits, as sd_watchdog_enabled(3) recommends.
    this.#watchdog = forThis && microseconds > 0 ? Math.max(1, Math.floor(microseconds / 2000)) : 0
  }

  /** The start is complete. Begins to feed the watchdog: a blocked event loop stops feeding it. */
  ready(status: string): void {
    this.#say('READY=1', `STATUS=${status}`)
    if (this.#send === undefined || this.#watchdog === 0 || this.#timer !== undefined) return
    this.#timer = setInterval(() => this.#feed(), this.#watchdog)
    this.#timer.unref()
  }

  /** A reload begins. Follow with {@link reloaded}. */
  reloading(): void {
    this.#say('RELOADING=1', `MONOTONIC_USEC=${monotonic()}`)
  }

  /** A reload is over, whatever became of it. */
  reloaded(status: string): void {
    this.#say('READY=1', `STATUS=${status}`)
  }

  /** Another process serves from now on: systemd is told so, and hears of this one no more. */
  replaced(pid: number): void {
    this.#say(`MAINPID=${pid}`, 'READY=1')
    clearInterval(this.#timer)
    this.#replaced = true
  }

  /** A stop begins. Resolves when systemd has been told everything. */
  stopping(): Promise<void> {
    clearInterval(this.#timer)
    this.#timer = undefined
    this.#say('STOPPING=1')
    return this.#last
  }

  #feed(): void {
    if (this.#feeding) return
    this.#feeding = true
    this.#say('WATCHDOG=1')
    this.#last = this.#last.finally(() => {
      this.#feeding = false
    })
  }

  #say(...assignments: string[]): void {
    const send = this.#send
    if (send === undefined || this.#replaced) return
    // Nothing depends on it: systemd finds out by its own timeout.
    this.#last = this.#last.then(() => send(assignments)).catch(() => {})
  }
}
