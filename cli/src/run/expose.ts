import { parseService } from '../address.js'
import { type AdHocOptions, adHocConfig, secretField } from './ad-hoc.js'
import { runClient } from './client.js'
import { fieldPairs } from './fields.js'
import { inspected } from './inspected.js'
import { StopSignals } from './stop-signals.js'

/** What `expose` is told. */
export interface ExposeOptions extends AdHocOptions {
  readonly kind: string
  readonly service: string
  readonly port?: number | undefined
  readonly name?: string | undefined
  readonly host?: string | undefined
  readonly subdomain?: string | undefined
  readonly path?: string | undefined
  readonly secret?: string | undefined
  /** Identities that may visit a private proxy. */
  readonly allow?: readonly string[] | undefined
  /** Further fields of the entry: `bandwidth=1MB`. */
  readonly set: readonly string[]
  /** Whether requests are kept, to be looked at. */
  readonly inspect: boolean
  readonly json: boolean
  readonly debug: boolean
}

/** Said to people once, when it is published. */
const INSPECT_LINE = '`rystra inspect` shows the requests, and sends them again.'

/** Publishes one service until it is told to stop, without a configuration. */
export const expose = async (options: ExposeOptions): Promise<void> => {
  const signals = new StopSignals()
  const { kind, port, host, subdomain, path, allow, secret, set, json, debug } = options
  const local = parseService(options.service, kind)
  const fields = fieldPairs(set, '--set', 'proxy', ['name', 'kind', 'local', 'port', 'secret'])
  const entry = {
    name: options.name ?? `${kind}-${local.slice(local.lastIndexOf(':') + 1)}`.slice(0, 128),
    kind,
    local,
    ...Object.fromEntries(
      Object.entries({ port, host, subdomain, path, allow }).filter(([, value]) => value !== undefined)
    ),
    // The environment may hold one for another kind of proxy, which knows no such field.
    ...(kind === 'private' || secret !== undefined ? secretField(secret) : {}),
    ...fields
  }
  const { config: plain, dir } = await adHocConfig(options, `kind:${kind}`, { proxies: [entry] })
  const inspects = options.inspect && kind === 'http'
  const config = inspects ? await inspected(plain) : plain
  const visitLine = kind === 'private' ? visitLineOf(options, entry.name, local) : inspects ? INSPECT_LINE : undefined
  await runClient({ config, dir, json, debug, admin: false, patient: false, signals, visitLine })
}

const quoted = (word: string): string =>
  /^[\w@%+=:,./[\]-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`

/** The command for the other side, with what was given here; what comes from the environment has to be there as well. */
const visitLineOf = ({ join, to, token, secret, dial }: ExposeOptions, name: string, local: string): string => {
  const given = Object.entries({ join: [join], to: to ?? [], token: [token], secret: [secret] }).flatMap(
    ([flag, values]) => values.flatMap((value) => (value === undefined ? [] : [`--${flag}`, value]))
  )
  const port = /:(\d+)$/.exec(local)?.[1] ?? '0'
  const words = ['npx', 'rystra', 'visit', name, '--bind', `127.0.0.1:${port}`, ...given]
  return `\nOn a machine that visits it:\n\n  ${[...words, ...dial.flatMap((field) => ['--dial', field])].map(quoted).join(' ')}\n`
}
