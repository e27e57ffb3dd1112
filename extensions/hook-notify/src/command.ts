import { type ChildProcess, spawn } from 'node:child_process'
import type { Attempt, Target } from './delivery.js'
import type { Notification } from './notification.js'
import type { CommandOptions } from './options.js'

/** What of the standard error is kept for the log. */
const TAIL_CHARS = 500

/** Names of fields as variables: `RYSTRA_CLIENT`. Text and numbers only; NUL, which no variable can have, is left out. */
const variablesOf = ({ id, type, time, side, subject, data }: Notification): Record<string, string> => {
  const fields = { event: type, id, time, side, subject, ...data }
  return Object.fromEntries(
    Object.entries(fields).flatMap(([name, value]) =>
      typeof value === 'string' || typeof value === 'number'
        ? [[`RYSTRA_${name.toUpperCase()}`, String(value).replaceAll('\0', '')]]
        : []
    )
  )
}

/** The whole group, so that what the program started ends with it. */
const kill = (child: ChildProcess): void => {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
  } catch {
    child.kill('SIGKILL')
  }
}

/** Runs a program for each notification, without a shell. What peers chose is in variables and on its input, never in arguments. */
export class Command implements Target {
  readonly name: string
  readonly #options: CommandOptions
  readonly #dir: string

  constructor(options: CommandOptions, dir: string) {
    this.#options = options
    this.#dir = dir
    this.name = options.command[0] ?? ''
  }

  send(notification: Notification, lost: number, signal: AbortSignal): Promise<Attempt> {
    const [file = '', ...args] = this.#options.command
    return new Promise((resolve) => {
      let tail = ''
      let reason: string | undefined
      const failed = (text: string): void => resolve({ ok: false, retry: true, reason: text })
      let child: ChildProcess
      try {
        child = spawn(file, args, {
          cwd: this.#dir,
          shell: false,
          detached: true,
          windowsHide: true,
          stdio: ['pipe', 'ignore', 'pipe'],
          // A command does not speak to systemd for this process.
          env: { ...process.env, NOTIFY_SOCKET: undefined, ...variablesOf(notification) }
        })
      } catch (error) {
        // Arguments that no program can have, or too many of them.
        failed((error as Error).message)
        return
      }
      const end = (why: string): void => {
        reason = why
        kill(child)
      }
      const timer = setTimeout(() => end('killed: not done in time'), this.#options.timeout)
      const aborted = (): void => end('killed: the process stops')
      signal.addEventListener('abort', aborted, { once: true })
      const over = (): void => {
        clearTimeout(timer)
        signal.removeEventListener('abort', aborted)
        child.stderr?.destroy()
      }
      child.once('error', (error) => {
        over()
        failed(error.message)
      })
      // Without a descriptor left there are no streams; `error` follows.
      child.stderr?.setEncoding('utf8').on('data', (text: string) => {
        tail = (tail + text).slice(-TAIL_CHARS)
      })
      // A program that does not read its input closes it: that is no failure.
      child.stdin?.on('error', () => {})
      child.stdin?.end(`${JSON.stringify(lost === 0 ? notification : { ...notification, lost })}\n`)
      // Not `close`: a child of the program may keep its standard error open.
      child.once('exit', (code, name) => {
        over()
        if (code === 0) resolve({ ok: true })
        else failed(reason ?? `exit ${code ?? name}${tail === '' ? '' : `: ${tail.trim()}`}`)
      })
    })
  }
}
