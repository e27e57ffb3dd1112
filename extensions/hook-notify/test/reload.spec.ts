import { expect } from 'chai'
import { emptyRuntime, type Lifecycle, type RuntimeEvent, silentLog } from '@rystra/plugin'
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
  const instance = (name = 'hook-notify') => {
    let reloaded = (): void => {}
    const tap = (tapped: () => void): void => {
      reloaded = tapped
    }
    const context = {
      name,
      runtime,
      role: 'server',
      dir: '/',
      log: silentLog,
      clock: new FakeClock(),
      metrics: { counter: () => ({ add: () => {} }) },
      hooks: { onReload: { tap } },
      registries: { adminRoutes: { add: () => {} } },
      options: {
        targets: [{ command: ['true'], events: ['reload.done'] }],
        refusals: { count: 20, within: 60_000 },
        certificates: { before: 14, files: [] }
      }
    }
    const { start, stop } = notify.definition.setup(context as never) as Lifecycle
    return { start: () => start?.(), stop: () => stop?.(), reloaded: () => reloaded() }
  }
  return { subscribers, instance }
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
