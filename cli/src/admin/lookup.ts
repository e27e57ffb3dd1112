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
  return one(byId.length > 0 ? byId : proxies.filter(({ name }) => name === word), word, 'proxy')
}

/** An id on a server ends with the name. */
const nameIn = (word: string): string => word.slice(word.indexOf('.') + 1)

/** The sessions with this id, client id, or identity: several only where `all` is wanted. */
export const theSessions = async (api: AdminApi, word: string, all: boolean): Promise<readonly SessionView[]> => {
  const sessions = await api.list<SessionView>('/v1/sessions', { q: word.slice(0, 256) })
  for (const field of ['id', 'client', 'identity'] as const) {
    const found = sessions.filter((session) => session[field] === word)
    if (found.length > 0) return all ? found : [one(found, word, 'client')]
  }
  const others = await api.list<RemoteSessionView>('/v1/cluster/sessions', { q: word.slice(0, 256) })
  const remote = others.find(({ id, client, identity }) => [id, client, identity].includes(word))
  if (remote === undefined) return [one<SessionView>([], word, 'client')]
  throw new RystraError('control.not-found', {
    detail: `no client ${JSON.stringify(word)} at this server`,
    hint: `it is connected to the server ${plainText(remote.member)}: run the command there, or name that one with --admin`
  })
}
