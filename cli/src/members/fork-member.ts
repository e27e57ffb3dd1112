import { fork } from 'node:child_process'
import type { MemberProcess } from './member.js'
import { environmentOf, type MemberEnvironment } from './member-environment.js'

/**
 * Starts a member: this command once more, with its log and events on the same streams.
 *
 * @param args Of the command
 * @param variables Of its environment, beside those of this process
 */
export const forkMember = (
  args: readonly string[],
  environment: MemberEnvironment,
  variables: NodeJS.ProcessEnv = {}
): MemberProcess => {
  // The parent alone tells systemd.
  const { NOTIFY_SOCKET: _, WATCHDOG_USEC: __, ...env } = process.env
  const child = fork(process.argv[1] as string, args, {
    env: { ...env, ...variables, ...environmentOf(environment) },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
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
    send: (message) => {
      if (child.connected) child.send(message, () => {})
    },
    onMessage: (listener) => void child.on('message', listener as (message: unknown) => void),
    onExit: (listener) => {
      tellExit = listener
    },
    kill: () => void child.kill('SIGKILL')
  }
}
