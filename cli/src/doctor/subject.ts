import { configuredServers } from '@rystra/client'
import { inspectConfig, type ResolvedConfig } from '@rystra/config'
import { isRystraError } from '@rystra/model'
import type { DialOptions, Registries, Side } from '@rystra/plugin'
import { Kernel } from '@rystra/kernel'
import { publicConfig } from '@rystra/control'
import path from 'node:path'
import { planExtensions, sidesOf } from '../provision.js'
import { stateFolder } from '../run/state.js'

/** What is examined. */
export interface Subject {
  readonly cwd: string
  /** Path of the configuration that was asked for. */
  readonly file: string | undefined
  /** The configuration, where one can be read. */
  readonly config: ResolvedConfig | undefined
  readonly path: string | undefined
  readonly sides: readonly Side[]
  readonly stateDir: string
  /** Where the client dials, if it names a host: the first of several servers. */
  readonly server: DialOptions | undefined
  readonly env: NodeJS.ProcessEnv
}

/** What is examined: in this folder, or by the configuration that is named. Never rejects for what the checks tell. */
export const subjectOf = async (
  cwd: string,
  file: string | undefined,
  env: NodeJS.ProcessEnv = process.env
): Promise<Subject> => {
  const loaded = await inspectConfig({ cwd, ...(file === undefined ? {} : { file }) }).catch(() => undefined)
  const { config, dir = cwd, path: found } = loaded ?? {}
  const said = stateFolder(found !== undefined, env)
  const connect = config?.client?.connect
  return {
    cwd,
    file,
    config,
    path: found,
    sides: found === undefined || config === undefined ? [] : sidesOf(config),
    stateDir: said ?? path.join(dir, '.rystra'),
    server: connect === undefined ? undefined : configuredServers(connect)[0]?.options,
    env
  }
}

/** Sets up the extensions of one side, and takes them down again after `work`. Rejects as that does, and with `extension.*`. */
export const withExtensions = async <Result>(
  { config, path: file, cwd }: Subject,
  side: Side,
  work: (registries: Registries, kernel: Kernel) => Promise<Result>
): Promise<Result> => {
  const dir = file === undefined ? cwd : path.dirname(file)
  const kernel = new Kernel({ side, dir })
  try {
    await kernel.provision(
      await planExtensions((config?.extensions ?? []) as Parameters<typeof planExtensions>[0], dir)
    )
    return await work(kernel.current.registries, kernel)
  } finally {
    await kernel.stop()
  }
}

/** The configuration without its secrets; what is known of them without extensions, where those cannot be loaded. */
export const redacted = async (subject: Subject): Promise<unknown> => {
  const { config, sides } = subject
  if (config === undefined) return undefined
  const [side = 'server'] = sides
  try {
    return await withExtensions(subject, side, async (_, kernel) => publicConfig(config, kernel.current))
  } catch (error) {
    if (!isRystraError(error)) throw error
    const { redactConfig } = await import('@rystra/config')
    return redactConfig(config)
  }
}
