import type { ProxyView, RemoteSessionView, SessionView } from '@rystra/admin-http'
import { RystraError } from '@rystra/model'
import type { AdminApi } from './admin-api.js'
import { plainText } from './text.js'

/** The one thing that a word means. Rejects with `control.not-found`, or `usage.invalid` when there are several. */
const one = <Thing extends { readonly id: string }>(things: readonly Thing[], word: string, what: string): Thing => {
  const [first, second] = things
  if (first === undefined) {
    throw new RystraError('control.not-found', {
      detail: `no ${what} ${JSON.stringify(word)}`,
      hint: `\`rystra ${what === 'proxy' ? 'proxies' : 'clients'}\` lists what there is`
    })
  }
  if (second === undefined) return first
  throw new RystraError('usage.invalid', {
    detail: `${JSON.stringify(word)} means several: ${things
      .slice(0, 10)
      .map(({ id }) => plainText(id))
      .join(', ')}`,
    hint: 'name it by its id'
  })
}

/** The proxy with this id or name. */
export const theProxy = async (api: AdminApi, word: string): Promise<ProxyView> => {
  const proxies = await api.list<ProxyView>('/v1/proxies', { q: word.length > 256 ? undefined : nameIn(word) })
  const byId = proxies.filter(({ id }) => id === word)
  // The id of a proxy begins with that of its session, which another server of the cluster may have.
  const isRemote = proxies.every(({ name }) => name !== word) && byId.length === 0 && word.includes('.')
  if (isRemote) return api.request<ProxyView>(`/v1/proxies/${encodeURIComponent(word)}`)
  return one(byId.length > 0 ? byId : proxies.filter(({ name }) => name === word), word, 'proxy')
}

/** An id on a server ends with the name. */
const nameIn = (word: string): string => word.slice(word.indexOf('.') + 1)

/** What a word means among these: by id, by client, then by identity. */
const meant = <Session extends Pick<SessionView, 'id' | 'client' | 'identity'>>(
  sessions: readonly Session[],
  word: string,
  all: boolean
): readonly Session[] => {
  for (const field of ['id', 'client', 'identity'] as const) {
    const found = sessions.filter((session) => session[field] === word)
    if (found.length > 0) return all ? found : [one(found, word, 'client')]
  }
  return []
}

/**
 * The sessions with this id, client id, or identity: several only where `all` is wanted. Those of other servers of the cluster are
 * read there.
 */
export const theSessions = async (api: AdminApi, word: string, all: boolean): Promise<readonly SessionView[]> => {
  const q = word.slice(0, 256)
  const here = meant(await api.list<SessionView>('/v1/sessions', { q }), word, all)
  if (here.length > 0 && !all) return here
  const others = meant(await api.list<RemoteSessionView>('/v1/cluster/sessions', { q }), word, all)
  const there = others.map(({ id }) => api.request<SessionView>(`/v1/sessions/${encodeURIComponent(id)}`))
  const found = [...here, ...(await Promise.all(there))]
  return found.length > 0 ? found : [one<SessionView>([], word, 'client')]
}
