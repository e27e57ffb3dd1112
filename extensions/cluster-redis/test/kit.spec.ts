import clusterRedis from '@rystra/cluster-redis'
import { directoryKit, type DirectorySubject } from '@rystra/testkit'
import { hasRedis, Redis } from './redis.js'

/** As short as a busy machine can keep. */
const LEASE_MS = 2000

describe('a directory on Redis', function () {
  this.timeout(60_000)
  let redis: Redis

  if (!hasRedis) {
    it('(skipped: there is no redis-server on this machine)')
    return
  }

  before(async () => {
    redis = await Redis.start()
  })
  afterEach(async () => {
    redis.pause(false)
    await redis.by(async (client) => void (await client.flushAll()))
  })
  after(() => redis.stop())

  const subject: DirectorySubject = {
    get directory() {
      return clusterRedis({ url: redis.url })
    },
    lease: LEASE_MS,
    pass: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    restart: async () => {
      await redis.stop()
      await redis.start()
    },
    away: (away) => (away ? redis.stop() : redis.start()),
    slow: (slow) => redis.pause(slow),
    tamper: () =>
      redis.by(async (client) => {
        const rows = '{rystra:kit}:k:bad'
        await client.hSet('{rystra:kit}:m', { ghost: 'garbage', other: '12 x not json' })
        await client.hSet(rows, { one: 'garbage', two: '1 2 3 4 5', three: '9 instance-of-a - - {}' })
        for (const id of ['one', 'two', 'three', 'none'])
          await client.sAdd('{rystra:kit}:r:instance-of-a', `bad\n${id}`)
        await client.publish('{rystra:kit}:c', 'garbage')
        await client.publish('{rystra:kit}:c', '["7","held",7]')
      })
  }
  directoryKit(subject)
})
