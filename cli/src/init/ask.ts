import { RystraError } from '@rystra/model'
import { formatServer, parseServerAddress, parseService } from '../address.js'
import { decodeJoin } from '../join/join-string.js'
import { presetPackages } from '../preset.js'
import { packageOf } from '../run/convention.js'
import { type Format, formats, type Plan, type Role, roles } from './plan.js'

/** What was said on the command line. */
export interface Said {
  readonly role?: string | undefined
  readonly format?: string | undefined
  readonly to?: string | undefined
  /** A join string: the server, and the token. */
  readonly join?: string | undefined
  readonly service?: string | undefined
  readonly token?: string | undefined
}

const publicPort = 20080

const planOf = (said: Said): Plan => {
  const role = (said.role ?? (said.join === undefined ? 'both' : 'client')) as Role
  const usual = { transport: 'tcp', host: role === 'client' ? 'tunnel.example.org' : '127.0.0.1', port: 7000 }
  const { transport, host, port, fields } =
    said.join === undefined
      ? { ...(said.to === undefined ? usual : parseServerAddress(said.to)), fields: {} }
      : decodeJoin(said.join)
  const needed = packageOf(`transport:${transport}`)
  return {
    role,
    format: (said.format ?? 'yaml') as Format,
    server: { transport, host, port },
    fields,
    packages: needed === undefined || presetPackages.includes(needed) ? [] : [needed],
    service: parseService(said.service ?? '3000'),
    port: publicPort
  }
}

/** What was not said is as usual: both roles, YAML, port 7000, the service on port 3000. */
export const assume = (said: Said): { plan: Plan; token: string | undefined } => ({
  plan: planOf(said),
  token: tokenOf(said)
})

const tokenOf = ({ token, join }: Said): string | undefined =>
  token ?? (join === undefined ? undefined : decodeJoin(join).token)

const valid =
  (parse: (text: string) => unknown) =>
  (text: string): true | string => {
    try {
      parse(text)
      return true
    } catch (error) {
      return error instanceof RystraError ? (error.detail ?? error.message) : String(error)
    }
  }

const roleNames: Readonly<Record<Role, string>> = {
  both: 'both, on this machine, to try it',
  server: 'the server: this machine is publicly reachable',
  client: 'the client: the service is reachable from this machine'
}

/** Asks, on a terminal, what was not said. Rejects with `usage.invalid` on Ctrl-C. */
export const ask = async (said: Said): Promise<{ plan: Plan; token: string | undefined }> => {
  const [{ default: input }, { default: password }, { default: select }] = await Promise.all([
    import('@inquirer/input'),
    import('@inquirer/password'),
    import('@inquirer/select')
  ])
  try {
    const role =
      said.role ??
      (said.join === undefined ? undefined : 'client') ??
      (await select<Role>({
        message: 'What is this project for?',
        choices: [...roles].reverse().map((value) => ({ value, name: roleNames[value] }))
      }))
    const usual = planOf({ ...said, role })
    const to =
      role !== 'client' || said.to !== undefined || said.join !== undefined
        ? said.to
        : await input({
            message: 'Where is the server?',
            default: formatServer(usual.server),
            validate: valid(parseServerAddress)
          })
    const token =
      role !== 'client' || tokenOf(said) !== undefined
        ? tokenOf(said)
        : (await password({ message: 'The token of the server (empty: make a new one)', mask: true })) || undefined
    const service =
      role === 'server' || said.service !== undefined
        ? said.service
        : await input({
            message: 'Which service shall be published?',
            default: usual.service,
            validate: valid(parseService)
          })
    const format =
      said.format ??
      (await select<Format>({ message: 'Which format?', choices: formats.map((value) => ({ value, name: value })) }))
    return { plan: planOf({ role, format, to, service, join: said.join }), token }
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'ExitPromptError') throw error
    throw new RystraError('usage.invalid', {
      detail: 'given up; nothing was written',
      cause: error,
      hint: 'run it again'
    })
  }
}
