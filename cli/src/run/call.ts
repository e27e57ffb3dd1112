import { loadConfig, type RystraConfig, validateBase } from '@rystra/config'
import { errorTable, isErrorCode, isRystraError, RystraError } from '@rystra/model'
import { Rpc, type RpcError } from '@rystra/rpc'
import { randomBytes } from 'node:crypto'
import { createClient } from '../index.js'
import { createLog } from '../log.js'
import { type AdHoc, adHocConfig } from './ad-hoc.js'

/** What `call` is told. */
export interface CallOptions {
  readonly cwd: string
  readonly program: string
  readonly name: string
  readonly data?: string | undefined
  readonly config?: string | undefined
  readonly to?: string | undefined
  readonly token?: string | undefined
  readonly dial: readonly string[]
  readonly identity?: string | undefined
  readonly deadline: number
  readonly debug: boolean
}

/** Asks one program, and answers with what it says. */
export const call = async (options: CallOptions): Promise<unknown> => {
  const { program, name, deadline, debug } = options
  const data = parsed(options.data)
  const { config, dir } = await configOf(options)
  const base = validateBase(config, { dir })
  const log = await createLog({ config: base.log, level: 'warn', debug, reported: true })
  const rpc = new Rpc()
  const client = await createClient(
    { ...base, extensions: [...(base.extensions ?? []), rpc.extension] },
    { dir, log, listening: false }
  )
  try {
    await client.start()
    const session = program === 'server' ? rpc.server : rpc.peer(program, { identity: options.identity })
    return await session.request(name, data, { deadline })
  } catch (error) {
    throw commandError(error)
  } finally {
    await client.stop({ drain: 0 })
  }
}

const parsed = (text: string | undefined): unknown => {
  if (text === undefined) return undefined
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new RystraError('usage.invalid', { detail: `the data: ${(cause as Error).message}`, cause })
  }
}

/** The client of the configuration, or of the flags, for this one call: it publishes nothing and replaces no other. */
const configOf = async ({ cwd, config: file, to, token, dial }: CallOptions): Promise<AdHoc> => {
  if (to !== undefined) return adHocConfig({ cwd, to: [to], token, dial, retry: false }, 'kind:tcp', { proxies: [] })
  const { config, dir, path } = await loadConfig({ cwd, ...(file === undefined ? {} : { file }) })
  const { client } = config
  if (client === undefined) {
    throw new RystraError('config.invalid', {
      side: 'client',
      detail: `${path} has no \`client\``,
      hint: 'add it, or give --to'
    })
  }
  const id = `${client.id}-call-${randomBytes(4).toString('hex')}`
  const extensions = (config.extensions ?? []).filter((entry) => !leftOut.has(packageOf(entry)))
  const reconnect = { ...client.reconnect, attempts: 0 }
  return { config: { ...config, extensions, client: { ...client, id, proxies: [], forwards: [], reconnect } }, dir }
}

/** What the call brings itself, and the API by which commands find the process of this configuration. */
const leftOut = new Set<unknown>(['@rystra/rpc', '@rystra/admin-http'])

const packageOf = (entry: NonNullable<RystraConfig['extensions']>[number]): unknown =>
  typeof entry === 'object' && 'use' in entry ? entry.use : entry

/** The error of a call as an error of the command: a code of the application stands in front of its text. */
const commandError = (error: unknown): unknown => {
  if (isRystraError(error) || !(error instanceof Error) || error.name !== 'RpcError') return error
  const { code, message } = error as RpcError
  // The text of the code stands in front of the details in both kinds of errors.
  const known = isErrorCode(code) ? errorTable[code].message : ''
  const detail = message.startsWith(known) ? message.slice(known.length).replace(/^: /, '') : message
  if (isErrorCode(code)) return new RystraError(code, { ...(detail === '' ? {} : { detail }), cause: error })
  return new RystraError('rpc.handler', {
    detail: `${code}: ${message}`,
    hint: 'see what the program says of this code',
    cause: error
  })
}
