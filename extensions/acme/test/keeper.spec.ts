import { selfSigned } from '@rystra/certificates'
import { until } from '@rystra/testkit'
import { expect } from 'chai'
import { X509Certificate } from 'node:crypto'
import { OrderFailure } from '../src/failure.js'
import { World } from './world.js'

const DAY_MS = 86_400_000
const HOUR_MS = 3_600_000

let world: World

describe('certificates that are kept', () => {
  beforeEach(() => {
    world = new World()
    world.start()
  })
  afterEach(() => world.keeper.stop())

  it('are renewed when two thirds of their life are over', async () => {
    await world.keep('app.example.org')
    await world.pass(1)
    const first = world.keeper.certificate('app.example.org')
    expect(world.info('app.example.org')?.next).to.equal(world.clock.now() - 1 + 60 * DAY_MS)
    await world.pass(60 * DAY_MS - DAY_MS)
    expect(world.orders).to.have.length(1)
    await world.pass(2 * DAY_MS)
    expect(world.orders).to.have.length(2)
    expect(world.keeper.certificate('app.example.org')).to.not.equal(first)
    expect(world.events.map(({ type, renewed }) => [type, renewed])).to.deep.equal([
      ['certificate.issued', false],
      ['certificate.issued', true]
    ])
  })

  it('are taken from another process that shares the state folder, in place of a second order', async () => {
    await world.keep('app.example.org')
    await world.pass(1)
    const other = new World(world.files)
    other.start()
    await other.keep('app.example.org')
    await world.pass(61 * DAY_MS)
    expect(world.orders).to.have.length(2)
    await other.pass(62 * DAY_MS)
    expect(other.orders).to.have.length(0)
    expect(other.keeper.certificate('app.example.org')).to.deep.equal(world.keeper.certificate('app.example.org'))
    await other.pass(60 * DAY_MS)
    expect(other.orders).to.have.length(1)
    await other.keeper.stop()
  })

  it('are ordered once by several processes that begin together with one state folder', async () => {
    const other = new World(world.files)
    other.start()
    const none = (): void => {}
    let finish = none
    const { answer } = world
    world.answer = async (order) => {
      await new Promise<void>((resolve) => {
        finish = resolve
      })
      return answer(order)
    }
    await Promise.all([world.keep('app.example.org'), other.keep('app.example.org')])
    const ordered = world.pass(1)
    await until(() => world.orders.length === 1, 'the first orders')
    await other.pass(1)
    expect([world.orders.length, other.orders.length]).to.deep.equal([1, 0])
    expect(other.info('app.example.org')?.state).to.equal('waiting')
    await until(() => finish !== none, 'the authority is asked')
    finish()
    await ordered
    await other.pass(60_000)
    expect(other.orders).to.deep.equal([])
    expect(other.keeper.certificate('app.example.org')).to.deep.equal(world.keeper.certificate('app.example.org'))
    expect(world.files.names('order-'), 'the lock is released').to.deep.equal([])
    await other.keeper.stop()
  })

  it('stay in use while their renewal fails, and are reported when they end soon', async () => {
    await world.keep('app.example.org')
    await world.pass(1)
    const first = world.keeper.certificate('app.example.org')
    world.answer = () => Promise.reject(new OrderFailure('challenge', 'http-01: no answer'))
    await world.pass(80 * DAY_MS)
    expect(world.keeper.certificate('app.example.org')).to.equal(first)
    expect(world.info('app.example.org')).to.include({ state: 'failed' })
    expect(world.info('app.example.org')?.error?.code).to.equal('acme.challenge')
    const expiring = world.events.filter(({ type }) => type === 'certificate.expiring')
    expect(expiring.map(({ days }) => days)).to.deep.equal([14, 13, 12, 11, 10])
  })

  it('are ordered again later and later when that fails, each time with the other challenge', async () => {
    world.answer = () => Promise.reject(new OrderFailure('challenge', 'no answer'))
    await world.keep('app.example.org')
    const times: number[] = []
    const begin = world.clock.now()
    for (let round = 0; round < 6; round += 1) {
      await world.pass(Math.max(1, (world.info('app.example.org')?.next ?? 0) - world.clock.now()))
      times.push(world.clock.now() - begin)
    }
    const waits = times.slice(1).map((time, index) => Math.round((time - (times[index] as number)) / 60_000))
    expect(waits).to.deep.equal([1, 15, 60, 360, 1440])
    expect(world.orders.map(({ challenge }) => challenge).slice(0, 3)).to.deep.equal([
      'http-01',
      'tls-alpn-01',
      'http-01'
    ])
  })

  it('wait as long as the authority asks, all of them, and over a restart', async () => {
    world.answer = () => Promise.reject(new OrderFailure('rate-limited', 'too many orders', 5 * HOUR_MS))
    await world.keep('a.example.org')
    await world.pass(1)
    await world.keep('a.example.org', 'b.example.org')
    await world.pass(5 * HOUR_MS - 2)
    expect(world.orders.map(({ host }) => host)).to.deep.equal(['a.example.org'])
    const [file = ''] = world.files.names('attempts-')
    const record = JSON.parse(String(world.files.all.get(file))) as unknown
    const again = new World()
    again.attempts.restore(record, world.clock.now())
    again.start()
    expect(again.attempts.earliest('b.example.org')).to.be.greaterThan(world.clock.now())
    await again.keeper.stop()
    await world.pass(2)
    expect(world.orders.map(({ host }) => host).sort()).to.deep.equal([
      'a.example.org',
      'a.example.org',
      'b.example.org'
    ])
  })

  it('are not ordered faster than `ordersPerHour`', async () => {
    world.start({ ordersPerHour: 3 })
    await world.keep(...Array.from({ length: 5 }, (_, index) => `h${index}.example.org`))
    await world.pass(HOUR_MS - 2)
    expect(world.orders).to.have.length(3)
    await world.pass(3)
    expect(world.orders).to.have.length(5)
  })

  it('are not ordered while the disk is full, and are when there is space', async () => {
    world.files.full = true
    await world.keep('app.example.org')
    await world.pass(1)
    expect(world.orders).to.deep.equal([])
    expect(world.info('app.example.org')?.error?.code).to.equal('extension.state')
    world.files.full = false
    await world.pass(HOUR_MS)
    expect(world.info('app.example.org')?.state).to.equal('valid')
  })

  it('are used and written later when the disk fills up during an order', async () => {
    const { answer } = world
    world.answer = async (order) => {
      const pair = await answer(order)
      world.files.full = true
      return pair
    }
    await world.keep('app.example.org')
    await world.pass(1)
    expect(world.keeper.certificate('app.example.org')).to.not.equal(undefined)
    world.files.full = false
    await world.pass(HOUR_MS)
    expect(world.files.names('certificate-')).to.have.length(1)
    expect(world.orders).to.have.length(1)
  })

  for (const [what, change] of [
    ['half written', (text: string) => text.slice(0, text.length / 2)],
    ['empty', () => ''],
    [
      'with the key of another',
      async (text: string) => {
        const other = await selfSigned({ commonName: 'app.example.org', keyType: 'ec' })
        return text.slice(0, text.indexOf('-----BEGIN PRIVATE')) + other.key
      }
    ]
  ] as const) {
    it(`are ordered again when their file is ${what}`, async () => {
      await world.keep('app.example.org')
      await world.pass(1)
      const [file = ''] = world.files.names('certificate-')
      world.files.all.set(file, Buffer.from(await change(String(world.files.all.get(file)))))
      world.start()
      await world.keep('app.example.org')
      await world.pass(1)
      expect(world.orders).to.have.length(2)
      expect(world.warnings.join()).to.include('cannot be used')
    })
  }

  for (const [what, options] of [
    ['for another host', { names: ['other.example.org'] }],
    ['that has ended', { days: 1, notBefore: new Date(0) }]
  ] as const) {
    it(`are not taken from an authority that gives one ${what}`, async () => {
      world.answer = ({ host }) => selfSigned({ commonName: host, names: [host], keyType: 'ec', ...options })
      await world.keep('app.example.org')
      await world.pass(1)
      expect(world.keeper.certificate('app.example.org')).to.equal(undefined)
      expect(world.info('app.example.org')?.error?.code).to.equal('acme.certificate')
    })
  }

  it('are ordered at the first visit where that is wanted', async () => {
    world.start({ order: 'visited' })
    await world.keep('app.example.org', 'other.example.org')
    await world.pass(HOUR_MS)
    expect(world.keeper.certificate('unpublished.example.org')).to.equal(undefined)
    expect(world.orders).to.deep.equal([])
    expect(world.keeper.certificate('app.example.org')).to.equal(undefined)
    await world.pass(1)
    expect(world.orders.map(({ host }) => host)).to.deep.equal(['app.example.org'])
    const { cert } = world.keeper.certificate('app.example.org') ?? { cert: '' }
    expect(new X509Certificate(cert).checkHost('app.example.org')).to.equal('app.example.org')
  })

  it('end an order that takes too long', async () => {
    world.answer = ({ signal }) =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)))
    await world.keep('app.example.org')
    await world.clock.pass(5 * 60_000 + 1)
    expect(world.info('app.example.org')?.error?.code).to.equal('acme.timeout')
  })

  it('leave no timer and no order behind when they stop', async () => {
    world.answer = ({ signal }) =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)))
    await world.keep('app.example.org', 'other.example.org', 'third.example.org')
    await world.clock.pass(1)
    expect(world.orders).to.have.length(2)
    await world.keeper.stop()
    expect(world.clock.pending).to.equal(0)
    expect(world.events).to.deep.equal([])
  })
})
