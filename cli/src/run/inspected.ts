import type { RystraConfig } from '@rystra/config'
import { readdir, rm } from 'node:fs/promises'
import path from 'node:path'
import { packageOf } from './target.js'
import { stateFolder } from './state.js'

const isRunning = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** Removes sockets of processes that did not stop in order: each has a name of its own, which is not used again. */
const removeLeftOver = async (stateDir: string): Promise<void> => {
  const folder = path.join(stateDir, 'admin')
  for (const file of await readdir(folder).catch(() => [])) {
    const [, pid] = /^expose-(\d+)\.sock$/.exec(file) ?? []
    if (pid !== undefined && !isRunning(Number(pid))) await rm(path.join(folder, file), { force: true })
  }
}

/**
 * The configuration with the inspector of requests, and with a socket of its own for `rystra inspect`: many of these processes share a
 * state folder.
 */
export const inspected = async (config: RystraConfig): Promise<RystraConfig> => {
  const entries = config.extensions ?? []
  const names = new Set(entries.map(packageOf))
  const [admin, inspect] = await Promise.all([import('@rystra/admin-http'), import('@rystra/inspect-http')])
  await removeLeftOver(stateFolder(false) as string)
  const added = [
    ...(names.has('@rystra/admin-http') ? [] : [admin.default({ socketName: `expose-${process.pid}` })]),
    ...(names.has('@rystra/inspect-http') ? [] : [inspect.default()])
  ]
  return { ...config, extensions: [...entries, ...added] } as RystraConfig
}
