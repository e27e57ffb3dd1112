import { MemoryDirectory } from '@rystra/cluster-memory'
import type { Directory, DirectoryOptions, DirectorySession } from '@rystra/plugin'
import { type DirectorySubject, FakeClock } from '@rystra/testkit'

/** Changes what a session does, to break it. */
export type Break = (session: DirectorySession, options: DirectoryOptions, directory: MemoryDirectory) => object

/** A directory in memory for the kit, whole or broken in one way. */
export const memorySubject = (broken: Break = () => ({}), parts: Partial<DirectorySubject> = {}): DirectorySubject => {
  const clock = new FakeClock()
  let directory = new MemoryDirectory()
  const made = (): Directory => {
    directory = new MemoryDirectory()
    return {
      name: 'memory',
      open: (options) => {
        const session = directory.open(options)
        const face: DirectorySession = {
          join: () => session.join(),
          renew: () => session.renew(),
          claim: (claim) => session.claim(claim),
          release: (key, id) => session.release(key, id),
          allot: (share) => session.allot(share),
          watch: (watcher) => session.watch(watcher),
          leave: () => session.leave()
        }
        return Object.assign(face, broken(session, options, directory))
      }
    }
  }
  return {
    directory: made,
    clock,
    pass: (ms) => clock.pass(ms),
    restart: () => directory.restart(),
    away: (away) => {
      directory.away = away
    },
    slow: (slow) => {
      directory.away = slow
    },
    ...parts
  }
}
