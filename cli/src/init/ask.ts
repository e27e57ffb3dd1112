import { RystraError } from '@rystra/model'
import { formatServer, parseServerAddress, parseService } from '../address.js'
import { type Format, formats, type Plan, type Role, roles } from './plan.js'

/** What was said on the command line. */
export interface Said {
  readonly role?: string | undefined
  readonly format?: string | undefined
  readonly to?: string | undefined
  readonly service?: string | undefined
  readonly token?: string | undefined
}

const publicPort = 20080

const planOf = (said: Said): Plan => {
  const role = (said.role ?? 'both') as Role
  const usual = role === 'client' ? 'tunnel.example.org' : '127.0.0.1'
  return {
    role,
    format: (said.format ?? 'yaml') as Format,
    server: said.to === undefined ? { transport: 'tcp', host: usual, port: 7000 } : parseServerAddress(said.to),
    service: parseService(said.service ?? '3000'),
    port: publicPort
  }
}

/** What was not said is as usual: both roles, YAML, port 7000, the service on port 3000. */
export const assume = (said: Said): { plan: Plan; token: string | undefined } => ({
  plan: planOf(said),
  token: said.token
})

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
      (await select<Role>({
        message: 'What is this project for?',
        choices: [...roles].reverse().map((value) => ({ value, name: roleNames[value] }))
      }))
    const usual = planOf({ ...said, role })
    const to =
      role !== 'client' || said.to !== undefined
        ? said.to
        : await input({
            message: 'Where is the server?',
            default: formatServer(usual.server),
            validate: valid(parseServerAddress)
          })
    const token =
      role !== 'client' || said.token !== undefined
        ? said.token
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
    return { plan: planOf({ role, format, to, service }), token }
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'ExitPromptError') throw error
    throw new RystraError('usage.invalid', {
      detail: 'given up; nothing was written',
      cause: error,
      hint: 'run it again'
    })
  }
}
