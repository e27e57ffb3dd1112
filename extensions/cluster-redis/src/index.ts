import { checkUrl } from '@rystra/address'
import { defineExtension, type Directory } from '@rystra/plugin'
import { makeClient } from './client.js'
import { Engine } from './engine.js'
import { RedisOptions } from './options.js'
import { RedisSession } from './session.js'

const urls = { schemes: ['redis', 'rediss'], example: 'redis://host:6379' }

/** A directory on Redis 7 or Valkey. */
export default defineExtension({
  name: 'cluster-redis',
  options: RedisOptions,
  setup({ registries, role, options, dir }) {
    if (role !== 'server') return
    for (const url of [options.url].flat()) checkUrl(url, urls, 'cluster-redis: url')
    const directory: Directory = {
      name: 'redis',
      open: (member) => {
        const { cluster, lease, clock, log } = member
        const engine = new Engine({
          client: () => makeClient(options, dir),
          prefix: `{${options.prefix}:${cluster}}:`,
          // Before the lease is over there is time for another attempt.
          timeout: lease / 2,
          clock,
          log
        })
        return new RedisSession(engine, member)
      }
    }
    registries.directories.add(directory)
  }
})

declare module '@rystra/plugin' {
  interface ExtensionOptions {
    '@rystra/cluster-redis': Partial<RedisOptions>
  }
}
