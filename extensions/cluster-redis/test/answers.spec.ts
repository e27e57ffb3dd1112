import clusterRedis from '@rystra/cluster-redis'
import { type DirectorySession, RystraError, silentLog } from '@rystra/plugin'
import { FakeClock, setUpExtension, turns, until } from '@rystra/testkit'
import { expect } from 'chai'
import { once } from 'node:events'
import net, { type AddressInfo } from 'node:net'

const LEASE_MS = 3000

/** A Redis that answers scripts with what it is given; nothing at all for `undefined`. */
class FakeRedis {
  script: string | undefined = '$2\r\n17\r\n'
  scripts = 0
  readonly #sockets = new Set<net.Socket>()
  readonly #mute = new Set<net.Socket>()
  readonly #server = net.createServer((socket) => {
    this.#sockets.add(socket)
    socket.on('error', () => {})
    socket.on('data', (chunk) => {
      // Commands are arrays of bulk strings: their names are the first ones.
      for (const [, name = ''] of chunk.toString('latin1').matchAll(/\*\d+\r\n\$\d+\r\n([A-Za-z]+)\r\n/g)) {
        const isScript = /^eval/i.test(name)
        if (isScript) this.scripts += 1
        const answer = isScript ? this.script : '+OK\r\n'
        if (answer !== undefined && !this.#mute.has(socket)) socket.write(answer)
      }
    })
  })

  async start(): Promise<string> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    return `redis://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Connections that are open get no answer any more. */
  mute(): void {
    for (const socket of this.#sockets) this.#mute.add(socket)
  }

  stop(): void {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
  }
}

describe('answers of Redis that are no answers', () => {
  let redis: FakeRedis
  let clock: FakeClock
  let session: DirectorySession

  beforeEach(async () => {
    redis = new FakeRedis()
    clock = new FakeClock()
    const url = await redis.start()
    const [directory] = setUpExtension(clusterRedis({ url }), 'server').registered('directories')
    session = directory?.open({
      cluster: 'c',
      name: 'a',
      instance: 'i',
      value: {},
      lease: LEASE_MS,
      grace: LEASE_MS,
      clock,
      log: silentLog
    }) as DirectorySession
  })
  afterEach(async () => {
    const left = session.leave()
    await turns(5)
    clock.advance(LEASE_MS)
    await left
    redis.stop()
  })

  const calls = (): Record<string, Promise<unknown>> => ({
    join: session.join(),
    renew: session.renew(),
    claim: session.claim({ key: 'x', id: 'one', owner: 'home' }),
    allot: session.allot({ key: 'x', limit: 10, used: 1, want: 2 }),
    watch: session.watch({ snapshot: () => {}, change: () => {} })
  })
  const outcome = (call: Promise<unknown>): Promise<unknown> =>
    call.then(
      () => undefined,
      (error: unknown) => error
    )

  for (const error of [
    'MOVED 3999 127.0.0.1:6381',
    'ASK 3999 127.0.0.1:6381',
    "READONLY You can't write against a read only replica.",
    "OOM command not allowed when used memory > 'maxmemory'.",
    'NOAUTH Authentication required.',
    "NOPERM this user has no permissions to run the 'evalsha' command",
    'LOADING Redis is loading the dataset in memory',
    'MASTERDOWN Link with MASTER is down',
    'BUSY Redis is busy running a script.',
    "ERR unknown command 'evalsha'"
  ]) {
    it(`are no grant: ${error.split(' ', 1)[0]}`, async () => {
      redis.script = `-${error}\r\n`
      for (const [name, call] of Object.entries(calls())) {
        const thrown = await outcome(call)
        expect(thrown, name).to.be.instanceOf(RystraError).with.property('code', 'cluster.unavailable')
        expect((thrown as RystraError).detail, name).to.include(error.slice(0, 20))
      }
    })
  }

  for (const [what, answer] of Object.entries({
    'a word in place of a number': '$3\r\nyes\r\n',
    'a negative number': ':-7\r\n',
    'a number that is too large': '$20\r\n99999999999999999999\r\n'
  })) {
    it(`are no grant: ${what}`, async () => {
      redis.script = answer
      for (const [name, call] of Object.entries(calls())) {
        const thrown = await outcome(call)
        if (['join', 'claim', 'allot'].includes(name))
          expect(thrown, name).to.have.property('code', 'cluster.unavailable')
      }
    })
  }

  it('are waited for no longer than half a lease, where the line is cut', async () => {
    redis.script = undefined
    const pending = Object.values(calls()).map(outcome)
    await until(() => redis.scripts > 0, 'a script to arrive')
    await turns(20)
    clock.advance(LEASE_MS / 2)
    for (const error of await Promise.all(pending)) expect(error).to.have.property('code', 'cluster.unavailable')
  })
  it('are asked for on another line when one stays silent', async () => {
    await session.join()
    redis.mute()
    const before = redis.scripts
    const late = outcome(session.join())
    await until(() => redis.scripts > before, 'a script to arrive')
    clock.advance(LEASE_MS / 2)
    expect(await late).to.have.property('code', 'cluster.unavailable')
    expect(await session.join()).to.deep.equal({ fence: 17 })
  })
})
