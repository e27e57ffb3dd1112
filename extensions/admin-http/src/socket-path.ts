import type { Side } from '@rystra/plugin'
import { createHash } from 'node:crypto'
import path from 'node:path'

/** The longest path of a unix socket that every system binds: `sun_path` has 104 bytes on macOS, 108 on Linux. */
const MAX_PATH_BYTES = 103

/**
 * The path of the unix socket of one end with this state folder, or of a process that has a name of its own. Where that would be too long for a socket, it is in a
 * folder of this user in /tmp, by a hash of the path.
 */
export const adminSocketPath = (stateDir: string, name: Side | string): string => {
  const file = path.join(path.resolve(stateDir), 'admin', `${name}.sock`)
  if (Buffer.byteLength(file) <= MAX_PATH_BYTES) return file
  const hash = createHash('sha256').update(file).digest('hex').slice(0, 32)
  return path.join('/tmp', `rystra-${process.getuid?.() ?? 'user'}`, `${hash}.sock`)
}
