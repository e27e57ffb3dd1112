import { type ExtensionEntry, type LoadedConfig, loadConfig, type RystraConfig } from '@rystra/config'
import { isRystraError, RystraError } from '@rystra/model'
import { connectFields, formatAddress, parseServerAddresses } from '../address.js'
import { tokenPackage } from '../preset.js'
import { decodeJoin, isJoin } from '../join/join-string.js'
import { fieldPairs } from './fields.js'
import { givenToken, tokenEntry } from './token.js'

/** What names the server on the command line. */
export interface TargetOptions {
  readonly cwd: string
  /** Several servers, each tried when the one before is lost. */
  readonly to?: readonly string[] | undefined
  readonly join?: string | undefined
  readonly token?: string | undefined
  /** Fields of the transport: `fingerprint=sha256:…`. */
  readonly dial: readonly string[]
}

/** The server of a client without a configuration of its own. */
export interface Target {
  readonly transport: string
  readonly extensions: NonNullable<RystraConfig['extensions']>
  readonly connect: NonNullable<RystraConfig['client']>['connect']
  /** The token, unless it is the project's. */
  readonly token?: string
  /** Folder of the configuration that it comes from. */
  readonly dir?: string
}

/** The fields of the transport in `--dial`. Throws `usage.invalid`. */
export const dialFields = (pairs: readonly string[]): Record<string, unknown> =>
  fieldPairs(pairs, '--dial', 'transport', ['transport', 'host', 'port', 'servers', 'srv', 'discover', 'muxer'])

const ofJoin = (text: string, name: string, flag: string | undefined): Target => {
  const { transport, host, port, more, token, fields } = decodeJoin(text, name)
  const address = more.length === 0 ? { host, port } : { servers: [formatAddress({ host, port }), ...more] }
  return {
    transport,
    token: flag ?? token,
    extensions: [tokenEntry(flag ?? token)],
    connect: { transport, ...address, ...fields }
  }
}

const ofAddresses = (texts: readonly string[], name: string, flag: string | undefined): Target => {
  const connect = connectFields(parseServerAddresses(texts, name))
  const token = givenToken(flag)
  if (token === undefined) {
    throw new RystraError('usage.invalid', {
      side: 'client',
      detail: '--token is missing',
      hint: '`rystra serve` prints it; give it with --token, or in the environment as RYSTRA_TOKEN'
    })
  }
  return { transport: connect.transport, token, extensions: [tokenEntry(token)], connect }
}

/** A join string, or addresses. */
const ofTexts = (texts: readonly string[], name: string, flag: string | undefined): Target => {
  const [only, ...more] = texts
  if (only !== undefined && more.length === 0 && isJoin(only)) return ofJoin(only, name, flag)
  if (texts.some(isJoin))
    throw new RystraError('usage.invalid', {
      side: 'client',
      detail: `${name}: a join string stands alone; it may name several servers itself`
    })
  return ofAddresses(texts, name, flag)
}

/** The client half of a configuration in this folder, if there is one. */
const projectIn = async (cwd: string): Promise<LoadedConfig | undefined> => {
  try {
    return await loadConfig({ cwd })
  } catch (error) {
    if (isRystraError(error) && error.code === 'config.not-found') return undefined
    throw error
  }
}

/**
 * The server that is meant: `--join`, `--to`, RYSTRA_SERVER (a join string, or addresses with commas between), or that of the project in
 * this folder, in this order. Throws `usage.invalid`, and `config.*` for a project that cannot be read.
 */
export const targetOf = async ({ cwd, to, join, token, dial }: TargetOptions): Promise<Target> => {
  if (join !== undefined && to !== undefined)
    throw new RystraError('usage.invalid', {
      side: 'client',
      detail: '--join names the server already: leave out --to'
    })
  const env = (process.env['RYSTRA_SERVER'] ?? '').split(/[\s,]+/).filter((text) => text !== '')
  const target =
    join !== undefined
      ? ofJoin(join, '--join', token)
      : to !== undefined
        ? ofTexts(to, '--to', token)
        : env.length > 0
          ? ofTexts(env, 'RYSTRA_SERVER', token)
          : await ofProject(cwd, token)
  return { ...target, connect: { ...target.connect, ...dialFields(dial) } }
}

const ofProject = async (cwd: string, token: string | undefined): Promise<Target> => {
  const project = await projectIn(cwd)
  const { client, extensions } = project?.config ?? {}
  if (project === undefined || client === undefined) {
    throw new RystraError('usage.invalid', {
      side: 'client',
      detail: 'no server: expected --join, --to, RYSTRA_SERVER, or a project with `client` in this folder',
      hint: '`rystra serve`, on the machine that the public can reach, prints the whole line'
    })
  }
  const { connect } = client
  return {
    transport: connect.transport,
    extensions: withToken(extensions ?? [], token),
    connect,
    dir: project.dir
  }
}

/** A token that is given takes the place of the project's. */
export const withToken = (
  extensions: readonly ExtensionEntry[],
  token: string | undefined
): readonly ExtensionEntry[] =>
  token === undefined
    ? extensions
    : [...extensions.filter((entry) => packageOf(entry) !== tokenPackage), tokenEntry(token)]

/** The package of an entry, if it is named by one. */
export const packageOf = (entry: ExtensionEntry): unknown =>
  typeof entry === 'string' ? entry : 'use' in entry ? entry.use : undefined
