import { defineExtension, RystraError, Type } from '@rystra/plugin'
import { expect } from 'chai'
import { Kernel } from '../src/index.js'
import { extension, failure, hello, memoryLog, provisioned, settle } from './fixtures.js'

/** An extension that says what is done to it, and fails where it is told to. */
const talker = (
  said: string[],
  name: string,
  fails: Partial<Record<'setup' | 'start' | 'stop' | 'onStart', unknown>> = {}
) =>
  extension(name, ({ hooks }) => {
    const say = (what: 'setup' | 'start' | 'stop' | 'onStart'): void => {
      said.push(`${what} ${name}`)
      if (fails[what] !== undefined) throw fails[what]
    }
    say('setup')
    hooks.onStart.tap(() => say('onStart'))
    hooks.onShutdown.tap(() => void said.push(`onShutdown ${name}`))
    return { start: async () => say('start'), stop: async () => say('stop') }
  })()

describe('provision', () => {
  it('sets up all, in order, and starts nothing', async () => {
    const said: string[] = []
    const { kernel } = await provisioned([talker(said, 'a'), talker(said, 'b')])
    expect(said).deep.equal(['setup a', 'setup b'])
    expect(kernel.state).equal('provisioned')
    expect(kernel.current.id).equal(1)
  })

  it('stops what was set up when another set-up fails, in reverse order, and may be tried again', async () => {
    const said: string[] = []
    const kernel = new Kernel({ side: 'client' })
    const uses = [talker(said, 'a'), talker(said, 'b'), talker(said, 'bad', { setup: new Error('no disk') })]
    const error = await failure(kernel.provision(uses), 'extension.setup-failed')
    expect(error.detail).equal('bad: no disk')
    expect(said).deep.equal(['setup a', 'setup b', 'setup bad', 'stop b', 'stop a'])
    await failure(() => kernel.current, 'kernel.state')
    await kernel.provision([talker(said, 'c')])
    expect(kernel.state).equal('provisioned')
  })

  it('stops what was set up when something is required that no extension provides', async () => {
    const said: string[] = []
    const needy = defineExtension({ name: 'needy', requires: ['kind:tcp'], setup() {} })
    await failure(provisioned([talker(said, 'a'), needy()]), 'extension.requires')
    expect(said).deep.equal(['setup a', 'stop a'])
  })

  it('keeps code, hint and side of an error that has them, and names the extension', async () => {
    const cause = new RystraError('listen.in-use', { detail: '7000', hint: 'stop b', side: 'server' })
    const error = await failure(provisioned([talker([], 'a', { setup: cause })]), 'listen.in-use')
    expect(error).include({ detail: 'a: 7000', hint: 'stop b', side: 'server', cause })
  })

  it('refuses two of the same name, unless one is given another', async () => {
    const twice = extension('twin', () => undefined)
    await failure(provisioned([twice(), twice()]), 'extension.duplicate')
    const { kernel } = await provisioned([twice(), { ...twice(), name: 'other' }])
    expect(kernel.inspect().extensions.map(({ name }) => name)).deep.equal(['twin', 'other'])
  })

  it('refuses a set-up that returns a promise, or something odd', async () => {
    const odd = (returned: unknown) => extension('odd', () => returned)()
    const error = await failure(provisioned([odd(Promise.resolve())]), 'extension.setup-failed')
    expect(error.detail).match(/odd: setup\(\) returned a promise/)
    await failure(provisioned([odd(Promise.reject(new Error('unheard')))]), 'extension.setup-failed')
    await failure(provisioned([odd({ start: 1 })]), 'extension.setup-failed')
    await failure(provisioned([odd('x')]), 'extension.setup-failed')
    await settle()
  })

  it('gives an extension its context', async () => {
    const log = memoryLog()
    let context: object = {}
    const a = extension('a', (given) => {
      context = given
      given.log.info('hi')
    })
    const { kernel, clock } = await provisioned([a()], { side: 'client', log })
    expect(context).include({ role: 'client', clock, metrics: kernel.metrics })
    expect(log.lines[0]?.fields).deep.equal({ extension: 'a' })
    expect(Object.isFrozen(context)).equal(true)
  })

  it('is done once', async () => {
    const { kernel } = await provisioned([])
    await failure(kernel.provision([]), 'kernel.state')
  })
})

describe('start', () => {
  it('starts all in order, then calls onStart', async () => {
    const said: string[] = []
    const { kernel } = await provisioned([talker(said, 'a'), talker(said, 'b')])
    await kernel.start()
    expect(said.slice(2)).deep.equal(['start a', 'start b', 'onStart a', 'onStart b'])
    expect(kernel.state).equal('running')
  })

  it('waits for one before it starts the next', async () => {
    const said: string[] = []
    let ready = (): void => {}
    const slow = extension('slow', () => ({ start: () => new Promise<void>((resolve) => (ready = resolve)) }))
    const { kernel } = await provisioned([slow(), talker(said, 'a')])
    const started = kernel.start()
    await settle()
    expect(said).deep.equal(['setup a'])
    ready()
    await started
    expect(said).include('start a')
  })

  for (const where of ['start', 'onStart'] as const) {
    it(`stops everything again, in reverse order and also what had not started, when ${where} fails`, async () => {
      const said: string[] = []
      const { kernel } = await provisioned([
        talker(said, 'a'),
        talker(said, 'bad', { [where]: new Error('no disk') }),
        talker(said, 'c')
      ])
      const error = await failure(kernel.start(), 'extension.start-failed')
      expect(error.message).include('bad')
      expect(said.slice(-3)).deep.equal(['stop c', 'stop bad', 'stop a'])
      expect(said).not.include('onShutdown a')
      expect(said.includes('start c')).equal(where === 'onStart')
      expect(kernel.state).equal('failed')
      await kernel.stop()
      expect(said.filter((line) => line.startsWith('stop'))).length(3)
      await failure(kernel.start(), 'kernel.state')
    })
  }

  it('keeps the code of an error that has one, and names the extension once', async () => {
    const { kernel } = await provisioned([talker([], 'a', { start: new RystraError('listen.in-use') })])
    expect(await failure(kernel.start(), 'listen.in-use')).property('detail', 'a')
    const named = new RystraError('listen.in-use', { detail: 'a: 7000' })
    const other = await provisioned([talker([], 'a', { start: named })])
    expect(await failure(other.kernel.start(), 'listen.in-use')).property('detail', 'a: 7000')
  })

  it('leaves out what binds addresses of its own where the kernel is not listening, and stops it all the same', async () => {
    const said: string[] = []
    const bound = extension('bound', () => ({
      listens: [{ host: '127.0.0.1', port: 1 }],
      start: async () => void said.push('start bound'),
      stop: async () => void said.push('stop bound')
    }))
    const kernel = new Kernel({ side: 'client', listening: false })
    await kernel.provision([bound(), talker(said, 'a')])
    await kernel.start()
    await kernel.stop()
    expect(said).include('start a').include('stop bound').not.include('start bound')
  })

  it('goes on when the failing onStart tap is open', async () => {
    const a = extension('a', ({ hooks }) => {
      hooks.onStart.tap({ onFailure: 'open' }, () => {
        throw new Error('x')
      })
    })
    const { kernel, log } = await provisioned([a()])
    await kernel.start()
    expect(log.lines).length(1)
  })

  it('gives up an extension that does not start in time', async () => {
    const hung = extension('hung', () => ({ start: () => new Promise<void>(() => {}) }))
    const { kernel, clock } = await provisioned([hung()], { startTimeout: 100 })
    // Counts the timers that keep the process up: without one Node would end it with 13.
    const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
    const before = timers()
    const started = kernel.start()
    await settle()
    expect(timers()).equal(before + 1)
    clock.pass(100)
    const error = await failure(started, 'extension.start-failed')
    expect(timers()).equal(before)
    expect(error.detail).equal('hung: it has not started within 100 ms')
  })

  it('needs a provision before, and is done once', async () => {
    await failure(new Kernel({ side: 'server' }).start(), 'kernel.state')
    const { kernel } = await provisioned([])
    await kernel.start()
    await failure(kernel.start(), 'kernel.state')
    await kernel.stop()
  })
})

describe('stop', () => {
  it('calls onShutdown, then stops all in reverse order, once', async () => {
    const said: string[] = []
    const { kernel } = await provisioned([talker(said, 'a'), talker(said, 'b')])
    await kernel.start()
    said.length = 0
    await Promise.all([kernel.stop(), kernel.stop()])
    await kernel.stop()
    expect(said).deep.equal(['onShutdown a', 'onShutdown b', 'stop b', 'stop a'])
    expect(kernel.state).equal('stopped')
  })

  it('works before a start, and before a provision', async () => {
    const said: string[] = []
    const { kernel } = await provisioned([talker(said, 'a')])
    await kernel.stop()
    expect(said).deep.equal(['setup a', 'stop a'])
    const fresh = new Kernel({ side: 'server' })
    await fresh.stop()
    await failure(fresh.provision([]), 'kernel.state')
  })

  it('stops the others when one fails, or an onShutdown tap throws, and logs it', async () => {
    const said: string[] = []
    const bad = extension('bad', ({ hooks }) => {
      hooks.onShutdown.tap(() => {
        throw new Error('x')
      })
      hooks.onShutdown.tapPromise(() => Promise.reject(new Error('y')))
      return {
        stop: () => {
          throw new Error('z')
        }
      }
    })
    const { kernel, log } = await provisioned([talker(said, 'a'), bad(), talker(said, 'c')])
    await kernel.start()
    await kernel.stop()
    expect(said.slice(-4)).deep.equal(['onShutdown a', 'onShutdown c', 'stop c', 'stop a'])
    expect(log.lines.map(({ fields }) => (fields.err as Error).message)).deep.equal(['x', 'y', 'z'])
  })

  it('leaves behind an extension that does not stop in time', async () => {
    const said: string[] = []
    const hung = extension('hung', () => ({ stop: () => new Promise<void>(() => {}) }))
    const { kernel, clock, log } = await provisioned([talker(said, 'a'), hung()], { stopTimeout: 100 })
    const stopped = kernel.stop()
    await settle()
    clock.pass(100)
    await stopped
    expect(said).include('stop a')
    expect(log.lines[0]?.fields).include({ extension: 'hung' })
  })

  it('ends a start that is under way at its next step, and everything is stopped', async () => {
    const said: string[] = []
    let ready = (): void => {}
    const slow = extension('slow', () => ({ start: () => new Promise<void>((resolve) => (ready = resolve)) }))
    const { kernel } = await provisioned([talker(said, 'a'), slow(), talker(said, 'c')])
    const started = kernel.start()
    const outcome = failure(started, 'kernel.state')
    await settle()
    const stopped = kernel.stop()
    ready()
    await outcome
    await stopped
    expect(said).deep.equal(['setup a', 'setup c', 'start a', 'stop c', 'stop a'])
    expect(kernel.state).equal('stopped')
  })
})

describe('inspect', () => {
  it('shows who is loaded and who taps what, without secrets', async () => {
    const a = defineExtension({
      name: 'a',
      options: Type.Object({ token: Type.String(), port: Type.Integer({ default: 1 }) }),
      requires: ['authenticator:x'],
      provides: ['word'],
      setup({ hooks, registries }) {
        hooks.onHello.tapPromise({ stage: -100, timeout: 7, onFailure: 'skip' }, async () => undefined)
        hooks.onData.tap(() => undefined)
        registries.authenticators.add({ method: 'x', verify: () => ({ deny: 'x' }) })
      }
    })
    const use = { ...a({ token: 'hunter2' }), package: { name: '@example/a', version: '1.2.3' } }
    const { kernel, calls } = await provisioned([use])
    await calls.hello(hello)
    const { extensions, hooks, ...rest } = kernel.inspect()
    expect(rest).deep.equal({ side: 'server', state: 'provisioned', generation: 1, generations: 1 })
    expect(JSON.stringify(extensions)).not.include('hunter2')
    expect(extensions[0]).deep.include({
      name: 'a',
      package: { name: '@example/a', version: '1.2.3' },
      options: { token: '[redacted]', port: 1 },
      registers: ['authenticator:x'],
      requires: ['authenticator:x'],
      provides: ['word', 'authenticator:x']
    })
    expect(extensions[0]?.taps.map(({ hook }) => hook)).deep.equal(['onHello', 'onData', 'onAuth'])
    const [tap] = hooks.onHello
    expect(tap).include({ hook: 'onHello', extension: 'a', stage: -100, timeout: 7, onFailure: 'skip', calls: 1 })
    expect(hooks.onData[0]).not.have.property('timeout')
    expect(hooks.onAuth[0]).include({ authenticator: 'x', stage: 0 })
    expect(hooks.onStart).deep.equal([])
  })

  it('works before anything is there', () => {
    expect(new Kernel({ side: 'client' }).inspect()).deep.include({ generation: 0, extensions: [], state: 'new' })
  })
})
