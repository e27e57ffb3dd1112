import { createHash } from 'node:crypto'
import { hostname } from 'node:os'
import { resolve } from 'node:path'
import { check } from './check.js'
import { copyPlain } from './plain.js'
import { ConfigError, type Problem, at, show } from './problem.js'
import { type ResolvedConfig, configSchema } from './types.js'

/** Where a configuration comes from. */
export interface ConfigOrigin {
  /** Named in errors. */
  readonly file?: string
  /** The default of `client.id` depends on it. @default the working directory */
  readonly dir?: string
}

/**
 * Checks everything that can be checked without extensions, and fills in defaults. Leaves the fields that transports and
 * kinds of proxies add as they are, and the options of extensions. What it returns can be given to it again.
 * @throws config.invalid with all problems there are, see {@link ConfigError}
 */
export const validateBase = (raw: unknown, origin: ConfigOrigin = {}): ResolvedConfig => {
  const problems: Problem[] = []
  const plain = copyPlain(raw, problems)
  const config = problems.length === 0 ? (check(configSchema, plain, '', problems) as ResolvedConfig) : undefined
  if (config !== undefined && problems.length === 0) checkSense(config, problems)
  if (config === undefined || problems.length > 0) throw new ConfigError('config.invalid', problems, origin.file)
  if (config.client === undefined) return config
  return { ...config, client: { ...config.client, id: config.client.id ?? defaultClientId(origin.dir) } }
}

/** What a schema cannot say. */
const checkSense = ({ server, client }: ResolvedConfig, problems: Problem[]): void => {
  const { interval = 0, timeout = 1 } = server?.heartbeat ?? {}
  if (timeout <= interval)
    problems.push({
      path: 'server.heartbeat.timeout',
      value: `${timeout} ms`,
      expected: `more than the interval of ${interval} ms`
    })
  const { min = 0, max = 0 } = client?.reconnect ?? {}
  if (max < min)
    problems.push({
      path: 'client.reconnect.max',
      value: `${max} ms`,
      expected: `no less than the minimum of ${min} ms`
    })
  once(
    server?.listen ?? [],
    'server.listen',
    'an address that no other entry of this transport has',
    problems,
    ({ transport, host, port }) => (port === 0 ? undefined : `${transport} ${host.toLowerCase()} ${port}`)
  )
  once(client?.proxies ?? [], 'client.proxies', 'a name that no other proxy has', problems, ({ name }) => name, 'name')
  once(client?.visitors ?? [], 'client.visitors', 'a name that no other has', problems, ({ name }) => name, 'name')
}

const once = <Item>(
  items: readonly Item[],
  path: string,
  expected: string,
  problems: Problem[],
  keyOf: (item: Item) => string | undefined,
  field?: string
): void => {
  const seen = new Set<string>()
  for (const [i, item] of items.entries()) {
    const key = keyOf(item)
    const where = field === undefined ? at(path, i) : at(at(path, i), field)
    if (key !== undefined && seen.has(key)) problems.push({ path: where, value: show(key, where), expected })
    if (key !== undefined) seen.add(key)
  }
}

/** The same at each start, and different for each folder of a machine, so that no two clients replace each other. */
export const defaultClientId = (dir = process.cwd()): string => {
  const host =
    hostname()
      .replaceAll(/[^\w.-]+/g, '-')
      .slice(0, 100) || 'client'
  return `${host}-${createHash('sha256').update(resolve(dir)).digest('hex').slice(0, 8)}`
}
