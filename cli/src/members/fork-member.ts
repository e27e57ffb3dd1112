import { fork } from 'node:child_process'
import type { MemberProcess } from './member.js'
import { socketEnvironment } from '../service/successor-environment.js'
import { environmentOf, type MemberEnvironment } from './member-environment.js'
import type { HandedSockets } from './handed-sockets.js'

/**
 * Starts a member: this command once more, with its log and events on the same streams.
 *
 * @param args Of the command
 * @param variables Of its environment, beside those of this process
 * @param handed Listening sockets of the process that it takes over from
 */
export const forkMember = (
  args: readonly string[],
  environment: MemberEnvironment,
  variables: NodeJS.ProcessEnv = {},
  handed?: HandedSockets
): MemberProcess => {
  // The parent alone tells systemd.
  const { NOTIFY_SOCKET: _, WATCHDOG_USEC: __, ...env } = process.env
  const child = fork(process.argv[1] as string, args, {
    env: {
      ...env,
      ...variables,
      ...environmentOf(environment),
      ...(handed === undefined ? {} : socketEnvironment(handed.sockets))
    },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc', ...(handed?.handles ?? []).map(({ fd }) => fd)],
    serialization: 'advanced'
  })
  // One that cannot be started has no exit.
  let tellExit: ((code: number | null) => void) | undefined
  const exited = (code: number | null): void => {
    tellExit?.(code)
    tellExit = undefined
  }
  child.once('exit', exited)
  child.once('error', () => exited(null))
  return {
    pid: child.pid ?? 0,
    send: (message) => {
      if (child.connected) child.send(message, () => {})
    },
    onMessage: (listener) => void child.on('message', listener as (message: unknown, handle: unknown) => void),
    onExit: (listener) => {
      tellExit = listener
    },
    kill: () => void child.kill('SIGKILL')
  }
}
