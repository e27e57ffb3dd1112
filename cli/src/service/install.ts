import { loadConfig } from '@rystra/config'
import { RystraError } from '@rystra/model'
import { realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { packageRoot } from '../package-root.js'
import { placeOf, systemctl, writeUnit } from './manage.js'
import { renderUnit } from './unit.js'

/** What `service:install` is told. */
export interface InstallOptions {
  readonly name: string
  readonly cwd: string
  readonly config: string | undefined
  readonly role: 'serve' | 'connect' | undefined
  readonly user: string | undefined
  readonly own: boolean
  readonly start: boolean
  readonly dryRun: boolean
  /** In place of `/`, for tests. */
  readonly root?: string
}

/** Whether a configuration has a port below 1024 anywhere that it listens. */
const bindsLowPorts = (config: unknown): boolean => {
  if (typeof config !== 'object' || config === null) return false
  return Object.entries(config).some(([key, value]) =>
    key === 'port' && typeof value === 'number' ? value > 0 && value < 1024 : key !== 'client' && bindsLowPorts(value)
  )
}

/** Writes the unit, and starts it. Rejects with `config.*`, `usage.invalid` or `file.failed`. */
export const install = async (options: InstallOptions): Promise<{ file: string; changed: boolean; unit: string }> => {
  const { name, cwd, own, user, start, dryRun, root } = options
  const { config, path, dir } = await loadConfig({
    cwd,
    ...(options.config === undefined ? {} : { file: options.config })
  })
  const both = config.server !== undefined && config.client !== undefined
  if (options.role === undefined && both)
    throw new RystraError('usage.invalid', {
      detail: `${path} has a server and a client`,
      hint: 'say which one with --role'
    })
  const role = options.role ?? (config.server === undefined ? 'connect' : 'serve')
  if ((role === 'serve' ? config.server : config.client) === undefined)
    throw new RystraError('usage.invalid', {
      detail: `${path} has no ${role === 'serve' ? 'server' : 'client'}`,
      hint: 'choose the other --role'
    })
  const command = join(await realpath(packageRoot), 'bin/run.js')
  const lowPorts = role === 'serve' && bindsLowPorts([config.server, config.extensions])
  const unit = renderUnit({ name, role, node: process.execPath, command, config: path, dir, user, lowPorts, own })
  const place = placeOf(name, own, root)
  if (dryRun) return { file: place.file, changed: false, unit }
  const changed = await writeUnit(place, unit)
  if (root === undefined) {
    await systemctl(place, 'daemon-reload')
    if (start) await systemctl(place, 'enable', `${name}.service`)
    if (start) await systemctl(place, changed ? 'restart' : 'start', `${name}.service`)
  }
  return { file: place.file, changed, unit }
}
