import type { ReadySuccessor, Successor, SuccessorOptions } from '@rystra/control'
import { type Address, fromWireError, RystraError, type WireError } from '@rystra/model'
import { type ChildProcess, spawn } from 'node:child_process'
import { openSockets } from '../service/listen-fds.js'
import { type PassedSocket, socketEnvironment } from '../service/successor-environment.js'

/** Milliseconds in which a process that is ready has to accept. */
export const TAKE_TIMEOUT_MS = 10_000

/** From the process that takes over: it is ready, it accepts, or why it does not start. */
export type FromSuccessor = { readonly ready: true } | { readonly serves: true } | { readonly failed: WireError }

/** To the process that takes over: it is to accept; then, what the process before had published that accepts no more. */
export type ToSuccessor = { readonly take: true } | { readonly published: readonly string[] }

/** Why the other process does not take over. */
export const upgradeFailed = (detail: string, cause?: unknown): RystraError =>
  new RystraError('control.upgrade-failed', { side: 'server', detail, cause })

const isAt = ({ host, port }: Address, others: readonly Address[]): boolean =>
  others.some((one) => one.host === host && one.port === port)

/** Code that the configuration loads may send messages of its own to its parent. */
const isFromSuccessor = (message: unknown): message is FromSuccessor => typeof message === 'object' && message !== null

/** What a process that takes over must not inherit: who started this one, and whose watchdog feeds it. */
const environment = (sockets: readonly PassedSocket[]): NodeJS.ProcessEnv => {
  const { WATCHDOG_PID: _, npm_lifecycle_event: __, ...env } = process.env
  return { ...env, ...socketEnvironment(sockets) }
}

/** Waits for one kind of message; rejects with why the process does not go on. */
const answer = (child: ChildProcess, name: 'ready' | 'serves', timeout: number): Promise<void> =>
  new Promise((resolve, reject) => {
    const end = (error?: RystraError): void => {
      clearTimeout(timer)
      child.off('message', onMessage).off('exit', onExit).off('error', onError)
      if (error === undefined) resolve()
      else {
        child.kill('SIGKILL')
        reject(error)
      }
    }
    const onMessage = (message: unknown): void => {
      if (!isFromSuccessor(message)) return
      if (name in message) end()
      else if ('failed' in message) {
        const cause = fromWireError(message.failed, 'server')
        end(upgradeFailed(cause.message, cause))
      }
    }
    const onExit = (code: number | null, signal: NodeJS.Signals | null): void =>
      end(upgradeFailed(`it ended with ${signal ?? `code ${code}`}; see its output`))
    const onError = (error: Error): void => end(upgradeFailed(error.message, error))
    const timer = setTimeout(() => end(upgradeFailed(`not ready within ${timeout} ms`)), timeout)
    child.on('message', onMessage).on('exit', onExit).on('error', onError)
  })

/**
 * Starts this command once more, with the listening sockets of this process.
 *
 * @param kept Those that a supervisor has passed to this process
 */
export const successorOf = (kept: readonly Address[]): Successor => ({
  start: async ({ timeout, chosen }: SuccessorOptions): Promise<ReadySuccessor> => {
    if (process.platform !== 'linux') {
      throw new RystraError('control.unavailable', {
        side: 'server',
        detail: `sockets cannot be found on ${process.platform}`
      })
    }
    // Where the first process of a container ends, the container does.
    if (process.pid === 1) {
      const detail = 'this is process 1 of a container, which ends with it: start another container'
      throw new RystraError('control.unavailable', { side: 'server', detail })
    }
    const sockets = openSockets().map((socket) => ({
      ...socket,
      passed: !isAt(socket, kept),
      chosen: isAt(socket, chosen)
    }))
    const child = spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1)], {
      env: environment(sockets),
      stdio: ['ignore', 'inherit', 'inherit', 'ipc', ...sockets.map(({ fd }) => fd)],
      serialization: 'advanced'
    })
    // Also between and after the answers, each of which reports its own.
    child.on('error', () => {})
    await answer(child, 'ready', timeout)
    return {
      pid: child.pid as number,
      sockets: sockets.length,
      take: async () => {
        const serves = answer(child, 'serves', TAKE_TIMEOUT_MS)
        child.send({ take: true } satisfies ToSuccessor, () => {})
        await serves
        child.unref()
      },
      left: (published) => {
        // It may have ended meanwhile.
        if (!child.connected) return
        child.send({ published } satisfies ToSuccessor, () => {
          if (child.connected) child.disconnect()
        })
      }
    }
  }
})
