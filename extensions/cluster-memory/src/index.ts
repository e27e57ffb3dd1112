import { defineExtension, type Extension } from '@rystra/plugin'
import { MemoryDirectory } from './directory.js'

export { MemoryDirectory } from './directory.js'

/** The extension `cluster-memory` with a directory of its own. Give the same one to each server. */
export const clusterMemory = (directory: MemoryDirectory = new MemoryDirectory()): Extension =>
  defineExtension({
    name: 'cluster-memory',
    setup({ registries, role }) {
      if (role === 'server') registries.directories.add(directory)
    }
  }) as Extension

/** The directory of this process: servers of one process that name the same cluster are one. */
export default clusterMemory()
