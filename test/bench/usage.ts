import { readdirSync, readFileSync } from 'node:fs'

/** USER_HZ, what /proc counts in. It is 100 on every Linux that Node runs on. */
const ticks = 100

const read = (file: string): string | undefined => {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}

interface Stat {
  readonly parent: number
  readonly cpu: number
}

const stat = (pid: number): Stat | undefined => {
  const text = read(`/proc/${pid}/stat`)
  if (text === undefined) return undefined
  // The name, which may hold anything, is in brackets; state and parent follow, utime and stime are 14th and 15th.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return { parent: Number(fields[1]), cpu: (Number(fields[11]) + Number(fields[12])) / ticks }
}

/** The processes given and all below them: sshd, for one, does the work in a child for each session. */
const family = (pids: readonly number[]): Set<number> => {
  const stats = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => [Number(name), stat(Number(name))] as const)
  const members = new Set(pids)
  let size = 0
  while (size !== members.size) {
    size = members.size
    for (const [pid, facts] of stats) if (facts !== undefined && members.has(facts.parent)) members.add(pid)
  }
  return members
}

/** Whether this system tells what processes use. Only Linux does, in the way this file knows. */
export const usageKnown = read('/proc/self/stat') !== undefined

/** CPU seconds that processes and those below them have used so far. */
export const cpuSeconds = (pids: readonly number[]): number => {
  if (!usageKnown) return Number.NaN
  let sum = 0
  for (const pid of family(pids)) sum += stat(pid)?.cpu ?? 0
  return sum
}

/** Resident bytes of processes and those below them. */
export const residentBytes = (pids: readonly number[]): number => {
  if (!usageKnown) return Number.NaN
  let sum = 0
  for (const pid of family(pids)) {
    const match = /^VmRSS:\s+(\d+) kB/m.exec(read(`/proc/${pid}/status`) ?? '')
    sum += Number(match?.[1] ?? 0) * 1024
  }
  return sum
}

/** How many files a process that we start may have open. */
export const descriptorLimit = (): number => {
  const match = /^Max open files\s+\S+\s+(\d+)/m.exec(read('/proc/self/limits') ?? '')
  return match === null ? 1024 : Number(match[1])
}
