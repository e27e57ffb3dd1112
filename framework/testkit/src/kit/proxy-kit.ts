import { isRystraError, type ProxySpec, RystraError } from '@rystra/plugin'
import { Value } from '@rystra/model/schema'
import assert from 'node:assert/strict'
import type { Duplex } from 'node:stream'
import { caseMaker, defineKit, type Kit } from './kit.js'
import { datagramCases } from './proxy-datagrams.js'
import { giveUp } from './proxy-ends.js'
import type { ProxyKindSubject } from './proxy-subject.js'
import { ProxyWorld } from './proxy-world.js'
import type { Scope } from './scope.js'
import { turns } from '../until.js'
import { answersLate, carriesWhole } from './stream-checks.js'
import { Inbox, send } from './streams.js'

const it = caseMaker<ProxyKindSubject, ProxyWorld>(ProxyWorld.open)

/** About kinds whose visitors have a stream each. */
const bytes: typeof it = (name, body) => it(name, body, { applies: ({ carries }) => carries !== 'datagrams' })

/** The fields that are the kind's, with defaults. */
const fields = (world: ProxyWorld, { name: _, kind: __, ...rest }: ProxySpec): unknown =>
  Value.Default(world.client.spec, structuredClone(rest))

/** A published service, and both ends of one visit to it. */
const visited = async (world: ProxyWorld, scope: Scope): Promise<[visitor: Duplex, service: Duplex]> => {
  const came: Duplex[] = []
  const spec = world.subject.spec(await world.service((socket) => came.push(socket)))
  const visitor = await world.visit(await world.publish(spec))
  await scope.until(() => came.length > 0, 'the visitor at the service')
  return [visitor, came[0] as Duplex]
}

const failure = async (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => error
  )

const cases = [
  it('is called what its entries say', (world) => {
    assert.equal(world.subject.spec('127.0.0.1:1').kind, world.client.kind)
    assert.match(world.client.kind, /^[a-z0-9][a-z0-9-]{0,31}$/, `"${world.client.kind}" is no name for a kind`)
  }),
  it('takes its own entries', (world) => {
    const [problem] = Value.Errors(world.client.spec, fields(world, world.subject.spec('127.0.0.1:8080')))
    assert.equal(problem, undefined, `${problem?.path}: ${problem?.message}`)
  }),
  it('describes every field in words', (world) => {
    for (const [name, field] of Object.entries(
      world.client.spec.properties as Record<string, { description?: string }>
    )) {
      assert.ok(typeof field.description === 'string' && field.description !== '', `${name} has no description`)
    }
  }),
  it('keeps only fields to itself that it has', (world) => {
    const known = Object.keys(world.client.spec.properties as object)
    for (const field of world.client.localFields ?? []) assert.ok(known.includes(field), `there is no field ${field}`)
  }),
  it('refuses the entries that are said to be invalid', (world) => {
    for (const [what, spec] of Object.entries(world.subject.invalid ?? {})) {
      if (!Value.Check(world.client.spec, fields(world, spec))) continue
      assert.throws(
        () => world.expand(spec),
        (error: unknown) => isRystraError(error) && error.code === 'proxy.invalid',
        `${what}: taken`
      )
    }
  }),
  it('makes entries of an entry that have names of their own and are complete', (world) => {
    const specs = world.expand(world.subject.spec('127.0.0.1:8080'))
    assert.ok(specs.length > 0, 'an entry failed')
    assert.equal(new Set(specs.map(({ name }) => name)).size, specs.length, 'two entries have one name')
    for (const spec of specs) {
      assert.equal(spec.kind, world.client.kind)
      assert.ok(Value.Check(world.client.spec, fields(world, spec)), `${spec.name} is not valid itself`)
    }
  }),
  it('says where it is published', async (world) => {
    const { address } = await world.publish(world.subject.spec('127.0.0.1:1'))
    assert.ok(typeof address === 'string' && address !== '' && !address.endsWith(':0'), `it says "${address}"`)
  }),
  bytes('brings visitors to the service and bytes both ways', async (world, scope) => {
    await carriesWhole(scope, await visited(world, scope), 1_000_000)
  }),
  bytes('says who visits, and where', async (world, scope) => {
    await visited(world, scope)
    const { info } = world.visits[0] as (typeof world.visits)[number]
    for (const { host, port } of [info, info.to]) {
      assert.ok(typeof host === 'string' && host !== '' && host !== 'unknown', `the host is ${host}`)
      assert.ok(Number.isInteger(port) && port > 0, `the port is ${port}`)
    }
    assert.notEqual(info.port, info.to.port, 'the visitor is said to be at the public address')
  }),
  bytes('lets the service answer long after the visitor has ended', async (world, scope) => {
    await answersLate(scope, await visited(world, scope))
  }),
  bytes('lets the visitor speak long after the service has ended', async (world, scope) => {
    const [visitor, service] = await visited(world, scope)
    await answersLate(scope, [service, visitor])
  }),
  bytes('shows the visitor a service that gave up as a reset', async (world, scope) => {
    const [visitor, service] = await visited(world, scope)
    const box = new Inbox(visitor, 0)
    giveUp(service)
    await box.cameReset(scope, 'the visitor')
  }),
  bytes('releases the service when the visitor gives up', async (world, scope) => {
    const [visitor, service] = await visited(world, scope)
    const box = new Inbox(service, 0)
    giveUp(visitor)
    await box.cameReset(scope, 'the service')
    await scope.until(() => world.visits[0]?.outcome !== undefined, 'reach() to be over')
  }),
  bytes('serves many visitors at once', async (world, scope) => {
    const spec = world.subject.spec(await world.service((socket) => socket.pipe(socket)))
    const published = await world.publish(spec)
    const visitors = await Promise.all(Array.from({ length: 20 }, () => world.visit(published)))
    const boxes = visitors.map((visitor, index) => new Inbox(visitor, index))
    for (const [index, visitor] of visitors.entries()) send(visitor, index, 50_000)
    await Promise.all(boxes.map((box, index) => box.cameWhole(scope, 50_000, `visitor ${index}`)))
  }),
  bytes('keeps two proxies apart', async (world, scope) => {
    const addresses = await Promise.all(['one', 'two'].map((name) => world.service((socket) => socket.end(name))))
    const specs = addresses.map((address, index) => ({ ...world.subject.spec(address), name: `proxy-${index}` }))
    const published = await Promise.all(specs.map((spec) => world.publish(spec)))
    assert.notEqual(published[0]?.address, published[1]?.address, 'two proxies are at one address')
    for (const [index, name] of ['one', 'two'].entries()) {
      const box = new Inbox(await world.visit(published[index] as (typeof published)[number]))
      await box.cameWhole(scope, name.length, 'the visitor')
      assert.equal(String(box.bytes), name, 'the visitor came to another service')
    }
  }),
  bytes('fails for the visitor, and says why, when the service cannot be reached', async (world, scope) => {
    const visitor = await world.visit(await world.publish(world.subject.spec(await world.nowhere())))
    const box = new Inbox(visitor)
    await scope.until(() => world.visits[0]?.outcome !== undefined, 'reach() to fail')
    const outcome = world.visits[0]?.outcome
    assert.ok(isRystraError(outcome), `reach() ended with ${outcome}`)
    assert.equal(outcome.code, 'stream.service-unreachable')
    await scope.until(() => box.closed || box.ended, 'the visitor to be closed')
  }),
  it('fails to publish when the server refuses the address', async (world, scope) => {
    const refusal = new RystraError('proxy.port-taken', { detail: '80' })
    const refuse = (): Promise<never> => Promise.reject(refusal)
    const published = world.publish(world.subject.spec('127.0.0.1:1'), {
      listen: refuse,
      listenUdp: refuse,
      claim: refuse,
      acceptVisits: refuse,
      openStream: refuse
    })
    const error = await failure(scope.wait(published, 'publish()'))
    assert.ok(isRystraError(error), `publish() ${error === undefined ? 'did not fail' : `failed with ${error}`}`)
    assert.equal(error.code, 'proxy.port-taken', 'the reason is not the one that the server gave')
  }),
  bytes('can be taken back and published again', async (world, scope) => {
    const spec = world.subject.spec(await world.service((socket) => socket.end('here')))
    const first = await world.publish(spec)
    await scope.wait(first.take(), 'close()')
    await turns(5)
    const box = new Inbox(await world.visit(await world.publish(spec)))
    await box.cameWhole(scope, 4, 'the visitor')
  }),
  bytes('lets streams go on when it is taken back', async (world, scope) => {
    const came: Duplex[] = []
    const published = await world.publish(world.subject.spec(await world.service((socket) => came.push(socket))))
    const visitor = await world.visit(published)
    await scope.until(() => came.length > 0, 'the visitor at the service')
    void published.take()
    await turns(5)
    await carriesWhole(scope, [visitor, came[0] as Duplex], 10_000)
  }),
  ...datagramCases
]

/** What every kind of proxy must do, its two halves joined without a session between. Call it where `describe` may be called. */
export const proxyKindKit: Kit<ProxyKindSubject> = defineKit('kind of proxy', cases)
