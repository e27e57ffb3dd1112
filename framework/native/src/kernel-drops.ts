import { readFileSync, readlinkSync } from 'node:fs'
import type { Socket } from 'node:dgram'
import { performance } from 'node:perf_hooks'
import { handleOf } from './handle.js'

/** Time for which a reading of the tables is used: they have a line for each UDP socket of the machine. */
const FRESH_MS = 1000
/** The same for a socket that is not in it, and may be new. */
const MISSING_MS = 50

let readAt = Number.NEGATIVE_INFINITY
/** By inode. */
let drops = new Map<string, number>()
const inodes = new WeakMap<Socket, string>()

const readTables = (): void => {
  readAt = performance.now()
  drops = new Map()
  for (const table of ['udp', 'udp6']) {
    const [, ...lines] = readFileSync(`/proc/self/net/${table}`, 'utf8').trimEnd().split('\n')
    for (const line of lines) {
      const columns = line.trim().split(/\s+/)
      drops.set(columns[9] as string, Number(columns.at(-1)))
    }
  }
}

const inodeOf = (socket: Socket): string | undefined => {
  const known = inodes.get(socket)
  const fd = handleOf(socket)?.fd
  if (known !== undefined || fd === undefined) return known
  const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${fd}`))?.[1]
  if (inode !== undefined) inodes.set(socket, inode)
  return inode
}

/**
 * Datagrams for which the receive buffer of a bound socket had no room, so far; at most a second old. 0 where the system
 * does not tell: elsewhere than on Linux.
 */
export const kernelDrops = (socket: Socket): number => {
  if (process.platform !== 'linux') return 0
  try {
    const inode = inodeOf(socket)
    if (inode === undefined) return 0
    if (performance.now() - readAt >= (drops.has(inode) ? FRESH_MS : MISSING_MS)) readTables()
    return drops.get(inode) ?? 0
  } catch {
    // Without /proc.
    return 0
  }
}
