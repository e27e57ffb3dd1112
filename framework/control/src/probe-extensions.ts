import { hostPort } from '@rystra/address'
import { ConfigError, listenConflicts, type ResolvedConfig } from '@rystra/config'
import type { ListeningExtension } from '@rystra/kernel'
import { type Address, type Side, toRystraError } from '@rystra/model'

/** The ports of an end. */
interface ProbedPorts {
  /** Rejects with `listen.*` when the address could not be bound now. */
  probe(address: Address): Promise<void>
}

/**
 * Tries the addresses that extensions bind when they start: two that exclude each other, and those that cannot be bound now.
 * Those that listen here already are left out. Rejects with `config.invalid`, by the name of the extension.
 *
 * @param offset Added to each port
 */
export const probeExtensions = async (
  listens: readonly ListeningExtension[],
  config: Pick<ResolvedConfig, Side>,
  {
    side,
    ports,
    offset = 0
  }: { readonly side: Side; readonly ports: ProbedPorts; readonly offset?: number | undefined }
): Promise<void> => {
  const named = listens.filter(({ port }) => port !== 0).map((one) => ({ ...one, port: one.port + offset }))
  const problems = listenConflicts(named, config, side)
  for (const { extension, host, port } of named) {
    const found = { path: `extensions ${extension}`, value: hostPort(host, port) }
    if (problems.some(({ path, value }) => path === found.path && value === found.value)) continue
    try {
      await ports.probe({ host, port })
    } catch (error) {
      problems.push({ ...found, expected: `an address to bind: ${toRystraError(error).message}` })
    }
  }
  if (problems.length > 0) throw new ConfigError('config.invalid', problems)
}
