import { MetricStore } from '@rystra/kernel'
import type { MetricSnapshot, MetricValue } from '@rystra/plugin'
import type { Member } from './member.js'

/**
 * Counters and gauges of the parent and of all members, as they were when the members were asked last. Each number of a member has its name
 * as the label `member`, so that the counters of one that was started again begin anew by themselves.
 */
export class MembersMetrics extends MetricStore {
  readonly #members: () => readonly Member[]

  /** @param members Those that run */
  constructor(members: () => readonly Member[]) {
    super()
    this.#members = members
  }

  override snapshot(): MetricSnapshot[] {
    const merged = new Map<string, MetricSnapshot & { readonly values: MetricValue[] }>()
    for (const metric of super.snapshot()) merged.set(metric.name, { ...metric, values: [...metric.values] })
    for (const { name: member, snapshot } of this.#members())
      for (const { name, type, help, values } of snapshot?.metrics ?? []) {
        const known = merged.get(name)
        const into = known?.type === type ? known : { name, type, help, values: [] }
        for (const { labels, value } of values) into.values.push({ labels: { ...labels, member }, value })
        // A name of the parent that means something else there.
        if (known === undefined || known === into) merged.set(name, into)
      }
    return [...merged.values()]
  }
}
