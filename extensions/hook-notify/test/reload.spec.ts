import { expect } from 'chai'
import { emptyRuntime, type Lifecycle, type Logger, type RuntimeEvent, silentLog } from '@rystra/plugin'
import { FakeClock } from '@rystra/testkit'
import notify from '../src/index.js'

type Subscriber = (event: RuntimeEvent) => void

/** A runtime whose subscribers the test sees, and instances on it. */
const world = () => {
  const subscribers: Subscriber[] = []
  const subscribe = (subscriber: Subscriber) => {
    subscribers.push(subscriber)
    return () => {
      if (subscribers.includes(subscriber)) subscribers.splice(subscribers.indexOf(subscriber), 1)
    }
  }
  const empty = emptyRuntime('server')
  const runtime = { ...empty, events: { ...empty.events, subscribe } }
  const clock = new FakeClock()
  const instance = (name = 'hook-notify', events = ['reload.done'], log: Logger = silentLog) => {
    let reloaded = (): void => {}
    const tap = (tapped: () => void): void => {
      reloaded = tapped
    }
    const context = {
      name,
      runtime,
      role: 'server',
      dir: '/',
      log,
      clock,
      metrics: { counter: () => ({ add: () => {} }) },
      hooks: { onReload: { tap } },
      registries: { adminRoutes: { add: () => {} } },
      options: {
        targets: [{ command: ['true'], events }],
        refusals: { count: 20, within: 60_000 },
        certificates: { before: 14, files: [] }
      }
    }
    const { start, stop } = notify.definition.setup(context as never) as Lifecycle
    return { start: () => start?.(), stop: () => stop?.(), reloaded: () => reloaded() }
  }
  return { subscribers, instance, clock, control: empty.control }
}

describe('a reload with other targets', () => {
  it('lets the new instance take over, so that nothing is notified twice', async () => {
    const { subscribers, instance } = world()
    const [old, next] = [instance(), instance()]
    await old.start()
    const [first] = subscribers
    await next.start()
    expect(subscribers).to.deep.equal([first])
    next.reloaded()
    next.reloaded()
    expect(subscribers).to.have.length(1)
    expect(subscribers[0]).not.to.equal(first)
    await old.stop()
    expect(subscribers).to.have.length(1)
    await next.stop()
    expect(subscribers).to.have.length(0)
  })

  it('lets the old instance, which is still there, go on when the change is taken back', async () => {
    const { subscribers, instance } = world()
    const [old, next] = [instance(), instance()]
    await old.start()
    await next.start()
    next.reloaded()
    const [second] = subscribers
    old.reloaded()
    expect(subscribers).to.have.length(1)
    expect(subscribers[0]).not.to.equal(second)
    await next.stop()
    expect(subscribers).to.have.length(1)
    await old.stop()
    old.reloaded()
    expect(subscribers).to.have.length(0)
  })

  it('leaves the old instance as it was when it fails', async () => {
    const { subscribers, instance } = world()
    const [old, next] = [instance(), instance()]
    await old.start()
    const [first] = subscribers
    await next.start()
    await next.stop()
    next.reloaded()
    expect(subscribers).to.deep.equal([first])
    await old.stop()
  })

  it('concerns no instance of another name', async () => {
    const { subscribers, instance } = world()
    const both = [instance('one'), instance('two')]
    for (const one of both) await one.start()
    expect(subscribers).to.have.length(2)
    for (const one of both) await one.stop()
  })
})

describe('a look at the certificates that fails', () => {
  it('is logged, and followed by the next one', async () => {
    const { instance, clock, control } = world()
    let looks = 0
    control.config = () => {
      looks += 1
      throw new TypeError('no configuration')
    }
    const failures: string[] = []
    const log: Logger = {
      ...silentLog,
      error: (_: object | string, message?: string) => void failures.push(String(message))
    }
    const { start, stop } = instance('hook-notify', ['certificate.expiring'], log)
    await start()
    await clock.pass(2 * 24 * 60 * 60 * 1000)
    await stop()
    await clock.pass(24 * 60 * 60 * 1000)
    expect([looks, failures]).to.deep.equal([3, Array(3).fill('certificates were not checked')])
  })
})
