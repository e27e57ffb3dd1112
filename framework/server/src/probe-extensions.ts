import { hostPort } from '@rystra/address'
import { ConfigError, hostsOverlap, type ResolvedServer } from '@rystra/config'
import type { ListeningExtension } from '@rystra/kernel'
import { toRystraError } from '@rystra/model'
import type { SharedPorts } from '@rystra/net'

const overlap = (one: string, other: string): boolean => hostsOverlap(one.toLowerCase(), other.toLowerCase())

/** What else has the address, where it cannot be shared. */
const takenBy = (
  { extension, host, port, exclusive = false }: ListeningExtension,
  others: readonly ListeningExtension[],
  listen: ResolvedServer['listen']
): string | undefined => {
  const other = others.find(
    (one) =>
      one.extension !== extension &&
      one.port === port &&
      overlap(one.host, host) &&
      (exclusive || one.exclusive === true)
  )
  if (other !== undefined) return other.extension
  const entry = listen.find(
    (one) => one.transport !== 'quic' && one.address === undefined && one.port === port && overlap(one.host, host)
  )
  return exclusive && entry !== undefined ? `server.listen (${entry.transport})` : undefined
}

/**
 * Tries the addresses that extensions bind when they start: two that exclude each other, and those that cannot be bound now.
 * Those that listen here already are left out. Rejects with `config.invalid`, by the name of the extension.
 *
 * @param offset Added to each port
 */
export const probeExtensions = async (
  listens: readonly ListeningExtension[],
  { listen }: ResolvedServer,
  ports: SharedPorts,
  offset: number
): Promise<void> => {
  const problems: { path: string; value: string; expected: string }[] = []
  const named = listens.filter(({ port }) => port !== 0).map((one) => ({ ...one, port: one.port + offset }))
  for (const one of named) {
    const { extension, host, port } = one
    const found = { path: `extensions ${extension}`, value: hostPort(host, port) }
    const other = takenBy(one, named, listen)
    if (other !== undefined) {
      problems.push({ ...found, expected: `an address that nothing else of this configuration has: ${other} has it` })
      continue
    }
    try {
      await ports.probe({ host, port })
    } catch (error) {
      problems.push({ ...found, expected: `an address to bind: ${toRystraError(error).message}` })
    }
  }
  if (problems.length > 0) throw new ConfigError('config.invalid', problems)
}
