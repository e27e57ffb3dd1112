import { readdirSync, readFileSync } from 'node:fs'
import type { Scratch } from '../scratch.js'
import { which } from '../peer.js'

/** Microseconds of CPU that all threads of a process have used so far, by the scheduler's own count. */
export const cpuMicroseconds = (pid: number): number => {
  let sum = 0
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    try {
      sum += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0])
    } catch {
      // A thread that has ended.
    }
  }
  return sum / 1000
}

/** Calls by name. */
export type Calls = Readonly<Record<string, number>>

/** Reads the table that `strace -c` prints. */
export const readSummary = (text: string): Calls => {
  const calls: Record<string, number> = {}
  for (const line of text.split('\n')) {
    const columns = line.trim().split(/\s+/)
    const name = columns.at(-1)
    const count = Number(columns[3])
    if (columns.length >= 5 && name !== undefined && name !== 'total' && Number.isFinite(count)) calls[name] = count
  }
  return calls
}

/** Counts the system calls of a process until it is stopped. Absent without strace. */
export interface Tracer {
  stop(): Promise<Calls>
}

/** Resolves when strace is attached. `undefined` where it is not installed, or may not attach. */
export const trace = async (pid: number, scratch: Scratch): Promise<Tracer | undefined> => {
  const strace = which('strace')
  if (strace === undefined) return undefined
  const file = scratch.write(`strace-${pid}`, '')
  const program = scratch.start(strace, ['-c', '-f', '-o', file, '-p', String(pid)])
  const attached = await new Promise<boolean>((resolve) => {
    program.child.stderr?.on('data', () => resolve(/attached/.test(program.said())))
    program.child.once('exit', () => resolve(false))
  })
  if (!attached) return undefined
  return {
    async stop() {
      const over = new Promise((resolve) => program.child.once('exit', resolve))
      program.child.kill('SIGINT')
      await over
      return readSummary(readFileSync(file, 'utf8'))
    }
  }
}
