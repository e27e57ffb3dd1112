import type { RystraConfig } from '@rystra/config'
import { RystraError } from '@rystra/model'

/** Extensions that the parent has for all members. */
const ofParent: ReadonlySet<unknown> = new Set(['@rystra/admin-http', '@rystra/observe-prometheus'])

/** Whether an entry of `extensions` is for the parent. */
export const isOfParent = (entry: unknown): boolean =>
  ofParent.has(typeof entry === 'object' && entry !== null && 'use' in entry ? entry.use : entry)

/** Stands for the name of the member in paths of certificates. */
const PLACE = '{member}'

type Listen = readonly { readonly port?: number }[]

/** Throws `config.invalid` for what cannot be had by several processes of one machine. */
export const checkMembers = (config: RystraConfig, count: number, reusePort: boolean): void => {
  const { server } = config
  const fail = (path: string, expected: string): never => {
    throw new RystraError('config.invalid', { side: 'server', detail: `${path}: expected ${expected}` })
  }
  if (!reusePort) checkPorts(server?.listen ?? [], count, fail)
  const { cluster, publish } = server ?? {}
  if (cluster === undefined) return
  for (const field of ['cert', 'key'] as const)
    if (!cluster[field].includes(PLACE))
      fail(`server.cluster.${field}`, `a path with ${PLACE}, since each member has a certificate for its own name`)
  if (publish?.on !== 'any') fail('server.publish.on', '`any`: members of one machine cannot bind the same port')
}

const checkPorts = (listen: Listen, count: number, fail: (path: string, expected: string) => void): void => {
  for (const [i, { port: one = 0 }] of listen.entries())
    for (const [j, { port: other = 0 }] of listen.entries()) {
      // Several transports may share one port: then they do so on each member.
      if (one === 0 || other <= one || other >= one + count) continue
      const range = `the members listen on ${one} to ${one + count - 1} for server.listen[${i}]`
      fail(`server.listen[${j}].port`, `${one}, or ${one + count} or above, got ${other}: ${range}`)
    }
}

/**
 * The configuration of one member: without what the parent has for all, and with its own name, port and certificate in a
 * cluster.
 */
export const memberConfig = (config: RystraConfig, name: string): RystraConfig => {
  const extensions = (config.extensions ?? []).filter((entry) => !isOfParent(entry))
  const cluster = config.server?.cluster
  if (cluster === undefined) return { ...config, extensions }
  const { port = 0, cert, key } = cluster
  const own = {
    ...cluster,
    name: `${cluster.name}-${name}`,
    port: port === 0 ? 0 : port + Number(name) - 1,
    cert: cert.replaceAll(PLACE, name),
    key: key.replaceAll(PLACE, name)
  }
  return { ...config, extensions, server: { ...config.server, cluster: own } }
}
