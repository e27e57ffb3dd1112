import type { ReloadReport } from '@rystra/plugin'
import type { AdminApi } from './admin-api.js'
import { itemText } from './plan-item.js'

/** Reloads, only at a revision if one is given. Rejects with `control.conflict` at another. */
export const reload = async (api: AdminApi, revision: string | undefined): Promise<ReloadReport> => {
  const headers: Record<string, string> = revision === undefined ? {} : { 'if-match': `"${revision}"` }
  return api.request<ReloadReport>('/v1/reload', { method: 'POST', headers })
}

/** What a reload did, for people. */
export const reloadText = ({ items, codeChanged, duration, revision }: ReloadReport): string =>
  [
    items.length === 0
      ? 'Reloaded; nothing had changed.'
      : `Reloaded in ${Math.round(duration)} ms, revision ${revision}:`,
    ...items.map(itemText),
    ...codeChanged.map((name) => `The code of ${name} has changed: it is loaded with the next start.`)
  ].join('\n')
