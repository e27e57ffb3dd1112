import type { Plan, PlanItem } from '@rystra/plugin'
import type { AdminApi } from './admin-api.js'
import { itemText } from './plan-item.js'

/** What a reload would do. */
export const plan = (api: AdminApi): Promise<Plan> => api.request<Plan>('/v1/plan', { method: 'POST' })

const ends = ({ streams = 0, sessions = 0 }: PlanItem): string =>
  streams + sessions === 0 ? '' : `  (ends ${streams} streams and ${sessions} sessions)`

/** The plan for people. */
export const planText = ({ items, problems, same, streams, sessions, codeChanged }: Plan): string => {
  if (problems.length > 0)
    return [
      'A reload would fail, and change nothing:',
      ...problems.map(({ path, reason }) => `  ${path === '' ? '' : `${path}: `}${reason}`)
    ].join('\n')
  const changes = items.filter(({ action }) => action !== 'keep')
  return [
    same || changes.length === 0 ? 'A reload would change nothing.' : 'A reload would do this:',
    ...changes.map((item) => `${itemText(item)}${ends(item)}`),
    ...(streams + sessions === 0 ? [] : [`It would end ${streams} open streams and ${sessions} sessions.`]),
    ...codeChanged.map((name) => `The code of ${name} has changed: it is loaded with the next start.`)
  ].join('\n')
}
