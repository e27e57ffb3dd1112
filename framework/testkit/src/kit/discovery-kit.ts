import type { Announcement, Discovery, FoundServer } from '@rystra/plugin'
import { RystraError } from '@rystra/plugin'
import assert from 'node:assert/strict'
import { isIP } from 'node:net'
import { caseMaker, defineKit, type Kit } from './kit.js'
import type { Scope } from './scope.js'
import { type Maker, make } from './subject.js'

/** A discovery under test: both halves, on one network. */
export interface DiscoverySubject {
  /** The half that announces. */
  readonly server: Maker<Discovery>
  /** The half that finds. */
  readonly client: Maker<Discovery>
}

const HOME: Announcement = { name: 'Home of the kit', transport: 'tls', port: 7001, fingerprint: 'SHA256:kit' }

class World {
  private constructor(
    readonly scope: Scope,
    readonly server: Discovery,
    readonly client: Discovery
  ) {}

  static async open(subject: DiscoverySubject, scope: Scope): Promise<World> {
    const server = await make(subject.server, 'discoveries', 'server', scope)
    return new World(scope, server, await make(subject.client, 'discoveries', 'client', scope))
  }

  /** @returns what ends it */
  async announce(announcement: Announcement): Promise<AbortController> {
    assert.ok(this.server.announce !== undefined, 'the server cannot announce')
    const stop = new AbortController()
    this.scope.defer(() => stop.abort())
    await this.scope.wait(this.server.announce(announcement, stop.signal), 'announce()')
    return stop
  }

  find(name: string, signal: AbortSignal): AsyncIterable<FoundServer> {
    assert.ok(this.client.find !== undefined, 'the client cannot find')
    return this.client.find(name, signal)
  }

  /** The first servers of a name. */
  async first(name: string, count: number): Promise<FoundServer[]> {
    const stop = new AbortController()
    this.scope.defer(() => stop.abort())
    const servers: FoundServer[] = []
    const collect = async (): Promise<void> => {
      for await (const server of this.find(name, stop.signal)) {
        servers.push(server)
        if (servers.length === count) return
      }
    }
    await this.scope.wait(collect(), `${count} servers of the name ${name}`)
    return servers
  }

  /** All of a name that are found before another, which is announced last, is. */
  async allBefore(name: string, last: Announcement): Promise<FoundServer[]> {
    const stop = new AbortController()
    this.scope.defer(() => stop.abort())
    const servers: FoundServer[] = []
    const collect = async (): Promise<void> => {
      for await (const server of this.find(name, stop.signal)) servers.push(server)
    }
    const collected = collect()
    await this.announce(last)
    await this.first(last.name, 1)
    stop.abort()
    await this.scope.wait(collected, 'the end of find()')
    return servers
  }
}

const it = caseMaker<DiscoverySubject, World>(World.open)

const ports = (servers: readonly FoundServer[]): number[] => servers.map(({ port }) => port).sort((a, b) => a - b)

/** Rejects as the contract says. */
const refuses = async (world: World, what: string, attempt: () => Promise<unknown>): Promise<void> => {
  const failed = await world.scope.wait(
    attempt().then(
      () => undefined,
      (error: unknown) => error
    ),
    what
  )
  assert.ok(failed instanceof RystraError && failed.code === 'discovery.invalid', `${what} was taken: ${failed}`)
}

const cases = [
  it('finds what is announced, as it was announced', async (world) => {
    await world.announce(HOME)
    const [found] = await world.first(HOME.name, 1)
    const { host, ...rest } = found as FoundServer
    assert.deepEqual(rest, HOME, 'the announcement')
    assert.ok(isIP(host) !== 0, `the host "${host}" is no IP address`)
  }),
  it('finds one without a fingerprint', async (world) => {
    const { fingerprint: _, ...bare } = HOME
    await world.announce(bare)
    const [found] = await world.first(HOME.name, 1)
    assert.equal(found?.fingerprint, undefined, 'the fingerprint of none')
  }),
  it('finds all servers of a name', async (world) => {
    for (const port of [7001, 7002, 7003]) await world.announce({ ...HOME, port })
    assert.deepEqual(ports(await world.first(HOME.name, 3)), [7001, 7002, 7003], 'the ports')
  }),
  it('finds no server of another name', async (world) => {
    await world.announce({ ...HOME, name: 'home of the kit' })
    await world.announce({ ...HOME, name: 'Home' })
    assert.deepEqual(await world.allBefore(HOME.name, { ...HOME, name: 'another' }), [], 'servers of other names')
  }),
  it('finds what is announced while it looks', async (world) => {
    const found = world.first(HOME.name, 1)
    await world.announce(HOME)
    assert.equal((await found).length, 1)
  }),
  it('gives each server once', async (world) => {
    await world.announce(HOME)
    const again = await world.announce({ ...HOME, name: 'again' })
    again.abort()
    await world.announce({ ...HOME, name: 'again' })
    const servers = await world.allBefore(HOME.name, { ...HOME, name: 'last' })
    assert.equal(servers.length, 1, `${servers.length} times the same server`)
  }),
  it('does not find what is no longer announced', async (world) => {
    const stop = await world.announce(HOME)
    await world.first(HOME.name, 1)
    stop.abort()
    assert.deepEqual(await world.allBefore(HOME.name, { ...HOME, name: 'another' }), [], 'servers that are gone')
  }),
  it('does not announce when it is too late', async (world) => {
    assert.ok(world.server.announce !== undefined, 'the server cannot announce')
    await world.scope.wait(
      Promise.resolve(world.server.announce(HOME, AbortSignal.abort())).catch(() => {}),
      'announce()'
    )
    assert.deepEqual(await world.allBefore(HOME.name, { ...HOME, name: 'another' }), [], 'servers that are gone')
  }),
  it('ends to look when it is told to', async (world) => {
    const stop = new AbortController()
    const looking = world.find('nothing', stop.signal)[Symbol.asyncIterator]()
    const next = looking.next()
    stop.abort()
    assert.equal((await world.scope.wait(next, 'the end of find()')).done, true, 'the end of find()')
    const late = world.find('nothing', AbortSignal.abort())[Symbol.asyncIterator]()
    assert.equal((await world.scope.wait(late.next(), 'the end of a find() that was too late')).done, true)
  }),
  it('can be left early, and looks again', async (world) => {
    await world.announce(HOME)
    for (let round = 0; round < 5; round++) assert.equal((await world.first(HOME.name, 1)).length, 1)
  }),
  it('answers many that look at once', async (world) => {
    await world.announce(HOME)
    const found = await Promise.all(Array.from({ length: 20 }, () => world.first(HOME.name, 1)))
    assert.ok(
      found.every((servers) => servers[0]?.port === HOME.port),
      'one of many found something else'
    )
  }),
  it('takes names of all kinds', async (world) => {
    const names = ['ü.local', 'a.b=c', '__proto__', `${'x'.repeat(63)}`, ' ']
    for (const [index, name] of names.entries()) await world.announce({ ...HOME, name, port: 7100 + index })
    for (const [index, name] of names.entries()) {
      assert.deepEqual(ports(await world.first(name, 1)), [7100 + index], `the server of the name "${name}"`)
    }
  }),
  it('refuses what cannot be announced, or looked for', async (world) => {
    const bad: Partial<Announcement>[] = [
      { name: '' },
      { name: 'x'.repeat(64) },
      { name: 'a\u0000b' },
      { port: 0 },
      { port: 65_536 },
      { port: 1.5 },
      { transport: 'Not One' },
      { fingerprint: 'x'.repeat(129) },
      { fingerprint: 'two words' }
    ]
    for (const each of bad) await refuses(world, JSON.stringify(each), () => world.announce({ ...HOME, ...each }))
    for (const name of ['', 'x'.repeat(64), 'a\nb'])
      await refuses(world, JSON.stringify(name), () => world.first(name, 1))
  })
]

/** What every discovery must do. Call it where `describe` may be called. */
export const discoveryKit: Kit<DiscoverySubject> = defineKit('discovery', cases)
