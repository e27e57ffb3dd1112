/**
 * How long sockets, timers and child processes of a spec file may take to be gone after its last test. They need a few turns of the event
 * loop; a machine that has too much to do takes longer, and only a file that leaves something waits so long.
 */
export const END_TIMEOUT_MS = 20_000

/** Interval at which they are looked at. */
const CHECK_MS = 5

/** What keeps a process up, counted by kind. */
const active = (): Map<string, number> => {
  const counts = new Map<string, number>()
  for (const name of process.getActiveResourcesInfo()) counts.set(name, (counts.get(name) ?? 0) + 1)
  return counts
}

/** Sockets with their addresses, child processes with their command, and timers that keep this process up. */
export const openHandles = (): string => {
  const { _getActiveHandles: handles } = process as unknown as { _getActiveHandles(): Record<string, unknown>[] }
  // A bare pipe is the channel to the parent process: sockets own theirs.
  const own: unknown[] = [process.stdin, process.stdout, process.stderr]
  const found = handles
    .call(process)
    .filter((handle) => !own.includes(handle) && handle.constructor.name !== 'Pipe')
    .map((handle) => {
      const { localPort, remotePort, spawnargs } = handle as Record<string, unknown>
      const ports = localPort === undefined ? '' : ` ${localPort} to ${remotePort}`
      return `${handle.constructor.name}${ports}${Array.isArray(spawnargs) ? ` ${spawnargs.join(' ')}` : ''}`
    })
  const others = process.getActiveResourcesInfo().filter((name) => !/Wrap$|^Process$/.test(name))
  return [...found, ...others].join(', ')
}

/** Watches what a spec file leaves open, beyond what was there when this was made. */
export class OpenHandles {
  readonly #before = active()

  #grown(): boolean {
    return [...active()].some(([name, count]) => count > (this.#before.get(name) ?? 0))
  }

  /** Waits until all is gone. Resolves with what is left after {@link END_TIMEOUT_MS}, or `undefined`. */
  async left(): Promise<string | undefined> {
    const end = performance.now() + END_TIMEOUT_MS
    while (this.#grown()) {
      if (performance.now() > end) return openHandles()
      await new Promise((resolve) => setTimeout(resolve, CHECK_MS))
    }
    return undefined
  }
}
