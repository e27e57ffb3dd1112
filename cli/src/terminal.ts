import { closeSync, openSync } from 'node:fs'

/** Whether the process was started on a terminal. */
export const startedOnTerminal = [process.stdin, process.stdout, process.stderr].some(({ isTTY }) => isTTY)

/** Whether there is still a terminal. Opening it fails once it has hung up. */
export const hasTerminal = (): boolean => {
  try {
    closeSync(openSync('/dev/tty', 'r'))
    return true
  } catch {
    return false
  }
}

/** Ends the process. Node aborts at its exit when it cannot reset a terminal that is gone; closed descriptors it skips. */
export const exit = (code?: number): never => {
  if (startedOnTerminal && !hasTerminal())
    for (const fd of [0, 1, 2]) {
      try {
        closeSync(fd)
      } catch {}
    }
  // An undefined argument would count as 0.
  if (code !== undefined) process.exitCode = code
  process.exit()
}
