import assert from 'node:assert/strict'
import type { Scope } from './scope.js'
import { turns } from '../until.js'

/** Numbers of resources by type, as Node names them. */
export type Counts = ReadonlyMap<string, number>

/** What ends by itself, and is begun by others as well: the runner of tests of Node 24 reads files while tests run. */
const passing = new Set(['Immediate', 'FSReqCallback', 'FSReqPromise'])

/** What keeps the process busy, counted by kind. */
export const resources = (): Counts => {
  const counts = new Map<string, number>()
  for (const name of process.getActiveResourcesInfo()) {
    if (!passing.has(name)) counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  return counts
}

/** What there is more of than before; what others left to go may go meanwhile. */
export const grownResources = (before: Counts): string[] =>
  [...resources()].filter(([name, count]) => count > (before.get(name) ?? 0)).map(([name]) => name)

/** Waits until what was opened is closed: handles go a few turns late. */
export const untilFreed = async (scope: Scope, before: Counts, what: string): Promise<void> => {
  const begin = performance.now()
  await turns(5)
  while (grownResources(before).length > 0 && performance.now() - begin < scope.timeout) await turns(5)
  assert.deepEqual(grownResources(before), [], what)
}

/** Listeners of the process, by event. */
export const processListeners = (): string =>
  process
    .eventNames()
    .map((event) => `${String(event)} ${process.listenerCount(event)}`)
    .sort()
    .join(', ')
