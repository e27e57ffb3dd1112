import {
  type DirectoryClaim,
  type DirectoryRow,
  type DirectorySession,
  type DirectoryShare,
  type DirectoryWatcher,
  RystraError
} from '@rystra/plugin'
import { directoryKit, type DirectorySubject } from '@rystra/testkit'
import { killsMutants, type Mutant } from '../../../framework/testkit/test/mutants/mutant.js'
import { type Break, memorySubject } from './subject.js'

const broken = (change: Break, because: RegExp): Mutant<DirectorySubject> => ({
  because,
  subject: () => memorySubject(change)
})

/** Rows in the way are told differently. */
const held = (session: DirectorySession, change: (row: DirectoryRow) => DirectoryRow): object => ({
  claim: async (claim: DirectoryClaim) => {
    const grant = await session.claim(claim)
    return 'held' in grant ? { held: grant.held.map(change) } : grant
  }
})

/** Another session in its place. */
const lazily = (open: () => DirectorySession, _instead: DirectorySession): object => {
  const session = open()
  return {
    join: () => session.join(),
    renew: () => session.renew(),
    claim: (claim: DirectoryClaim) => session.claim(claim),
    allot: (share: DirectoryShare) => session.allot(share),
    watch: (watcher: DirectoryWatcher) => session.watch(watcher),
    leave: () => session.leave()
  }
}

const never = (): Promise<never> => new Promise(() => {})

/** One that has what memory cannot have: an engine that is too slow, or that was written into by hand. */
const faulty = (): DirectorySubject => {
  let slow = false
  const inTime = <Answer>(answer: () => Promise<Answer>): Promise<Answer> =>
    slow ? Promise.reject(new RystraError('cluster.unavailable')) : answer()
  const change: Break = (session) => ({
    renew: () => inTime(() => session.renew()),
    claim: (claim: DirectoryClaim) => inTime(() => session.claim(claim))
  })
  return {
    ...memorySubject(change),
    slow: (on) => {
      slow = on
    },
    tamper: () => {}
  }
}

killsMutants('directory', directoryKit, [() => memorySubject(), faulty], {
  'grants a key to one of many that claim it at once': broken(
    (session) => ({
      claim: async (claim: DirectoryClaim) => {
        const grant = await session.claim(claim)
        return 'fence' in grant ? grant : { fence: 1 }
      }
    }),
    /holders of one key/
  ),
  'names the holder of a key, with what it says of itself': broken(
    (session) => held(session, (row) => ({ ...row, value: undefined })),
    /the row/
  ),
  'grants a row again to its holder, with the new value and a larger number': broken(
    (session) => ({
      claim: async (claim: DirectoryClaim) => {
        const grant = await session.claim(claim)
        return 'fence' in grant ? { fence: 7 } : grant
      }
    }),
    /is not larger/
  ),
  'numbers grants upwards over all keys and members': broken((session) => {
    let last = 0
    return {
      claim: async (claim: DirectoryClaim) => {
        await session.claim(claim)
        last += 1
        return { fence: last }
      }
    }
  }, /the numbers/),
  'lets rows of one owner with the same word share a key, and no others': broken(
    (session) => ({ claim: ({ share: _, ...claim }: DirectoryClaim) => session.claim(claim) }),
    /was refused/
  ),
  'replaces a row of the same owner that is named by its number, and no other': broken(
    (session) => ({
      claim: async (claim: DirectoryClaim) => {
        const grant = await session.claim(claim)
        return 'held' in grant && claim.replace !== undefined
          ? session.claim({ ...claim, replace: grant.held.map(({ fence }) => fence) })
          : grant
      }
    }),
    /was granted to/
  ),
  'frees a key that is given back, by its holder only': broken(() => ({ release: async () => {} }), /was refused/),
  'refuses a name that another instance has': broken(
    () => ({ join: async () => ({ fence: 1 }) }),
    /expected cluster.name-taken/
  ),
  'keeps what is renewed': broken(() => ({ renew: async () => true }), /was granted to|whether the lease/),
  'keeps the keys of a member that is gone for their owner, until the grace is over': broken(
    (session, options, directory) =>
      options.grace === 0 ? {} : lazily(() => directory.open({ ...options, grace: 0 }), session),
    /was granted to office/
  ),
  'allots no more of a limit than there is, to many that ask at once': broken(
    () => ({ allot: async ({ want }: DirectoryShare) => want }),
    /of 100 were allotted/
  ),
  'allots all of a limit to one member while the others want nothing': broken(
    (session) => ({ allot: (share: DirectoryShare) => session.allot({ ...share, limit: share.limit / 2 }) }),
    /alone/
  ),
  'takes from a member what it does not use as soon as another wants it, and no more': broken(
    (session) => ({ allot: (share: DirectoryShare) => session.allot({ ...share, used: 0 }) }),
    /what is in use/
  ),
  'gives back what a member was allotted when its lease is over': broken((session) => {
    let last = 0
    return {
      allot: async (share: DirectoryShare) => {
        last = await session.allot(share).catch(() => last)
        return last
      }
    }
  }, /expected cluster.fenced/),
  'says that a lease was lost, and lets the member join again': broken(
    () => ({ renew: async () => true }),
    /whether the lease runs/
  ),
  'shows a watcher what there is, and everything that comes': broken(
    (session) => ({
      watch: (watcher: DirectoryWatcher) =>
        session.watch({
          snapshot: (all) => watcher.snapshot({ ...all, rows: [] }),
          change: (change) => watcher.change(change)
        })
    }),
    /the snapshot/
  ),
  'misses nothing that happens while it begins to watch': broken(
    (session) => ({
      watch: async (watcher: DirectoryWatcher) => {
        await session.watch({ snapshot: () => {}, change: () => {} })
        watcher.snapshot({ members: [], rows: [] })
      }
    }),
    /waiting for all of 20 rows/
  ),
  'tells of a member that is gone': broken(
    (session) => ({
      watch: (watcher: DirectoryWatcher) =>
        session.watch({
          snapshot: (all) => watcher.snapshot(all),
          change: (change) => {
            if (change.type !== 'left') watcher.change(change)
          }
        })
    }),
    /waiting for the end of the member/
  ),
  'frees everything of a member that leaves': broken(() => ({ leave: async () => {} }), /was refused/),
  'keeps clusters apart': broken(
    (session, options, directory) => lazily(() => directory.open({ ...options, cluster: 'one' }), session),
    /timed out|was refused|name-taken|taken|another server/
  ),
  'does not mind a member whose clock is a day off': broken((session, options) => {
    const last = options.clock.now()
    return { renew: async () => last < new Date('2024-01-01T12:00:00Z').getTime() && session.renew() }
  }, /whether the leases run/),
  'is filled again by its members after a restart without data': broken(
    (session) => ({
      renew: async () => {
        await session.renew()
        return true
      }
    }),
    /whether the lease runs/
  ),
  'says so while the engine is away, and goes on when it is back': broken(
    (session) => ({ renew: () => session.renew().catch(() => true) }),
    /expected cluster.unavailable/
  ),
  'counts no member as gone whose lease ended while the engine did not answer': {
    because: /whether the lease runs of the first/,
    // What is away is the line, not the engine: its leases end.
    subject: () => {
      let away = false
      const reached = <Answer>(answer: () => Promise<Answer>): Promise<Answer> =>
        away ? Promise.reject(new RystraError('cluster.unavailable')) : answer()
      return memorySubject((session) => ({ renew: () => reached(() => session.renew()) }), {
        slow: (slow) => {
          away = slow
        }
      })
    }
  },
  'does not wait for an engine that does not answer': {
    because: /waiting for a call/,
    subject: () => ({ ...memorySubject(() => ({ renew: never })), slow: () => {} })
  },
  'leaves out what cannot be understood': {
    because: /the rows that can be understood/,
    subject: () => ({
      ...memorySubject((session) => ({
        watch: (watcher: DirectoryWatcher) =>
          session.watch({ snapshot: (all) => watcher.snapshot({ ...all, rows: [] }), change: () => {} })
      })),
      tamper: () => {}
    })
  }
})
