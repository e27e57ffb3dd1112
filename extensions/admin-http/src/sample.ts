import type { RefusalCounts, Runtime } from '@rystra/plugin'
import type { SampleView } from './schemas.js'

const sum = (counts: RefusalCounts): number => Object.values(counts).reduce((all, count) => all + count, 0)

/** The totals of one end now. */
export const sampleOf = (runtime: Runtime, time: number): SampleView => {
  const { bytesToService, bytesToVisitor, streams, opened, sessions, proxies, refused } = runtime.stats()
  return { time, bytesToService, bytesToVisitor, streams, opened, sessions, proxies, refused: sum(refused) }
}
