import type { RystraConfig } from '@rystra/config'
import type { Listening } from '@rystra/server'
import { formatAddress, formatServer } from '../address.js'
import { encodeJoin, type Join } from '../join/join-string.js'
import { dialable } from './dialable.js'
import type { Feed } from './feed.js'
import type { Web } from './quick-kinds.js'

/** What a server is started with. */
export interface Prepared {
  readonly config: RystraConfig
  readonly dir: string
  /** Only without a configuration. */
  readonly quick?: Quick | undefined
  readonly web?: Web | undefined
}

/** What clients need of a server without a configuration, beside its addresses. */
export interface Quick {
  readonly token: string
  readonly once: boolean
  /** The host that clients dial. */
  readonly publicHost: string | undefined
  readonly warnings: readonly string[]
}

/** What the other side needs, whatever the transport. Each address is of a server with the same certificate and token. */
const joinOf = (
  [{ transport, host, port, join = {} }, ...others]: readonly [Listening, ...Listening[]],
  { token, once, publicHost }: Quick
): Join => ({
  transport,
  host: publicHost ?? dialable(host),
  port,
  more: others.map((one) => formatAddress({ host: publicHost ?? dialable(one.host), port: one.port })),
  token,
  once,
  fields: Object.fromEntries(Object.entries(join).map(([field, value]) => [field, String(value)]))
})

/** The servers, as `--to` takes them. */
const serversOf = (join: Join): string[] => [
  formatServer(join),
  ...join.more.map((one) => `${join.transport}://${one}`)
]

/** The same as flags, for programs that change one of them. */
const joinArgs = (join: Join): string[] => [
  ...serversOf(join).flatMap((server) => ['--to', server]),
  '--token',
  join.token,
  ...Object.entries(join.fields).flatMap(([field, value]) => ['--dial', `${field}=${value}`])
]

/** Says how clients come to a server without a configuration, or to several that share its token and certificate. */
export const reportJoin = (feed: Feed, listening: readonly Listening[], quick: Quick, webs: readonly Web[]): void => {
  const [first, ...others] = listening
  if (first === undefined) return
  const join = joinOf([first, ...others], quick)
  const word = encodeJoin(join)
  const kinds = webs.length === 0 ? ['tcp'] : ['http', 'tcp']
  feed.event(
    'join',
    { join: word, args: joinArgs(join) },
    `\nOn the machine with the service, here on its port 3000:\n\n${kinds
      .map((kind) => `  npx rystra expose ${kind} 3000 --join ${word}\n`)
      .join('')}\nIt dials ${serversOf(join).join(' or ')}; --public-host names another host. ${
      quick.once ? 'The token is for one client, until this server stops.' : 'Keep it secret: it holds the token.'
    }`
  )
  for (const web of webs) {
    const url = `http://${formatAddress({ ...web, host: dialable(web.host) })}`
    const local =
      web.domain === 'localhost' ? ' Only this machine finds names below localhost: --domain sets another domain.' : ''
    feed.event('web', web, `Web services get names below ${web.domain}, on ${url}.${local}`)
  }
}
