import { type Changes, diffConfig, type ResolvedConfig } from '@rystra/config'
import type { PlanItem, PlanSubject } from '@rystra/plugin'

/** Options that bound something, by their name. */
const limiting = /limit|rate|max|burst|timeout|quota|bandwidth|expire/i

/** Options that allow or forbid something, by their name. */
const permitting = /token|rule|allow|deny|secret|identit|password|ca\b|cert|key|jwks|issuer|audience|crl/i

const subjectOfOption = (path: string): PlanSubject =>
  limiting.test(path) ? 'limit' : permitting.test(path) ? 'right' : 'setting'

const subjectOfSetting = (path: string): PlanSubject => {
  if (path.startsWith('client.accept')) return 'right'
  return /\blimits\b|[Tt]imeout/.test(path) ? 'limit' : 'setting'
}

/** What differs between two configurations, in the words of a plan; what is kept too. Holds paths and no values. */
export const planItems = (before: ResolvedConfig, after: ResolvedConfig): PlanItem[] => {
  const diff = diffConfig(before, after)
  const items: PlanItem[] = []
  const list = (section: string, subject: PlanSubject, changes: Changes): void => {
    for (const name of changes.added) items.push({ action: 'add', subject, name })
    for (const name of changes.changed) {
      const paths = diff.details[`${section} ${name}`] ?? []
      items.push({ action: 'change', subject, name, detail: paths.join(', ') })
    }
    for (const name of changes.removed) items.push({ action: 'remove', subject, name })
    for (const name of changes.kept) items.push({ action: 'keep', subject, name })
  }
  list('listen', 'listener', diff.listen)
  list('extensions', 'extension', diff.extensions)
  for (const name of diff.extensions.changed) {
    for (const path of diff.details[`extensions ${name}`] ?? []) {
      const subject = subjectOfOption(path)
      if (subject !== 'setting') items.push({ action: 'change', subject, name: `${name} ${path}` })
    }
  }
  list('proxies', 'proxy', diff.proxies)
  list('forwards', 'forward', diff.forwards)
  if (diff.reordered) items.push({ action: 'change', subject: 'setting', name: 'extensions', detail: 'their order' })
  if (diff.publish) items.push({ action: 'change', subject: 'right', name: 'server.publish' })
  if (diff.connect) items.push({ action: 'change', subject: 'session', name: 'client.connect' })
  for (const path of diff.settings) items.push({ action: 'change', subject: subjectOfSetting(path), name: path })
  return items
}

/** Two lists of items as one: what is said twice of a thing, the later says. */
export const mergeItems = (items: readonly PlanItem[], more: readonly PlanItem[]): PlanItem[] => {
  const keyOf = ({ subject, name }: PlanItem): string => `${subject} ${name}`
  const merged = new Map(items.map((item) => [keyOf(item), item]))
  for (const item of more) merged.set(keyOf(item), { ...merged.get(keyOf(item)), ...item })
  return [...merged.values()]
}
