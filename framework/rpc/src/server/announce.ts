import { RystraError } from '@rystra/model'
import type { Server } from '@rystra/server'

/**
 * Announces every port of a server under a name, by every discovery that can, until the signal aborts. Rejects with
 * `registry.unknown` without one, `discovery.invalid` and `discovery.unavailable`.
 */
export const announce = async (
  { kernel, listening }: Pick<Server, 'kernel' | 'listening'>,
  name: string,
  signal: AbortSignal
): Promise<void> => {
  const { discoveries } = kernel.current.registries
  const announcing = discoveries.list().flatMap((each) => {
    const discovery = discoveries.get(each)
    return discovery.announce?.bind(discovery) ?? []
  })
  if (announcing.length === 0) throw new RystraError('registry.unknown', { detail: 'a discovery that can announce' })
  for (const { transport, port, join } of listening) {
    // A socket path has no port, and is of no use to other machines.
    if (port === 0) continue
    const fingerprint = join?.['fingerprint']
    const announcement = { name, transport, port, ...(fingerprint === undefined ? {} : { fingerprint }) }
    await Promise.all(announcing.map((each) => each(announcement, signal)))
  }
}
