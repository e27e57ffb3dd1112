import { defineExtension, type Lifecycle, RystraError } from '@rystra/plugin'
import { AdminServer } from './admin-server.js'
import { isLoopback } from './gate.js'
import { Lineage } from './lineage.js'
import { type AdminOptions, adminOptions } from './options.js'

export type { AdminOptions, ListenEntry, TokenEntry } from './options.js'
export type { WhyView } from './routes/why.js'
export type { RemoteSessionView } from './cluster-view.js'
export type * from './schemas.js'
export type { Problem } from './problem.js'
export { keptTokenFile } from './kept-token.js'

/** The OpenAPI document of the API, without routes of extensions. */
export const openApiDocument = async (): Promise<object> => (await import('./document.js')).makeDocument()

const check = ({ listen, tokens }: AdminOptions): void => {
  const open = listen.find(({ host, tls }) => tls === undefined && !isLoopback(host))
  if (open !== undefined) {
    throw new RystraError('extension.options', {
      detail: `listen: ${open.host} can be reached from other machines, and without \`tls\` tokens cross the network in clear text`,
      hint: 'add `tls: {}` for a self-signed certificate, or `cert` and `key`; or listen on 127.0.0.1'
    })
  }
  const names = tokens.map(({ name }) => name)
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined) throw new RystraError('extension.options', { detail: `tokens: two are named ${twice}` })
}

/** State and control of one end over HTTP, for commands, programs and the dashboard. */
export default defineExtension({
  name: 'admin-http',
  options: adminOptions,
  setup(context): Lifecycle {
    const { role, options } = context
    const listen = options.listen.filter(({ side = role }) => side === role)
    check({ ...options, listen })
    const server = new AdminServer({ ...context, options: { ...options, listen } })
    context.hooks.onShutdown.tap(() => server.drain())
    const lineage = context.previous instanceof Lineage ? context.previous : new Lineage()
    context.hooks.onReload.tapPromise(() => lineage.takeOver(server))
    return {
      listens: listen.map(({ host, port }) => ({ host, port, exclusive: true })),
      start: () => {
        lineage.add(server)
        return server.start()
      },
      stop: () => {
        lineage.delete(server)
        return server.stop()
      },
      handover: () => lineage
    }
  }
})
