import type { ListenEntry, ResolvedServer } from '@rystra/config'
import { ConfigError } from '@rystra/config'
import type { GenerationRef } from '@rystra/kernel'
import { hostPort } from '@rystra/address'
import { toRystraError } from '@rystra/model'
import type { SharedPorts } from '@rystra/net'
import type { Listener, ListenHost, ListenOptions } from '@rystra/plugin'
import type { OpenListener } from './open-listener.js'

/** What is not open yet. */
const isNew = (entry: ListenEntry, open: readonly OpenListener[]): boolean =>
  !open.some(({ key }) => key === JSON.stringify(entry))

/** Binds for a moment, and hands on no connection. */
const probing = (ports: SharedPorts): ListenHost => ({
  listenTcp: async ({ host, port }): Promise<Listener> => {
    await ports.probe({ host, port })
    return { address: { host, port }, close: () => Promise.resolve() }
  }
})

/**
 * Has each transport listen where a configuration is new, and closes it at once: files that cannot be read and addresses
 * that cannot be bound are found without a reload. A port that another program takes meanwhile is not. Rejects with
 * `config.invalid`, by path.
 */
export const probeListeners = async (
  { listen }: ResolvedServer,
  { registries }: GenerationRef,
  open: readonly OpenListener[],
  ports: SharedPorts
): Promise<void> => {
  const problems: { path: string; value: string; expected: string }[] = []
  for (const [index, entry] of listen.entries()) {
    if (!isNew(entry, open)) continue
    const closing = new AbortController()
    try {
      const transport = registries.transports.get(entry.transport)
      const listener = await transport.listen(
        entry as ListenOptions,
        (link) => (link.kind === 'bytes' ? link.duplex.destroy() : link.destroy()),
        closing.signal,
        probing(ports)
      )
      await listener.close()
    } catch (error) {
      const { host, port, transport, address = hostPort(host, port) } = entry
      const value = `${transport} ${address}`
      problems.push({
        path: `server.listen[${index}]`,
        value,
        expected: `an address to bind: ${toRystraError(error).message}`
      })
    } finally {
      closing.abort()
    }
  }
  if (problems.length > 0) throw new ConfigError('config.invalid', problems)
}
