import { defineExtension, RystraError, type ReloadContext } from '@rystra/plugin'
import { expect } from 'chai'
import type { KernelUse } from '../src/index.js'
import { extension, failure, hello, provisioned, settle } from './fixtures.js'
import { marked, other, running } from './marked.js'

const broken = (where: 'setup' | 'start', said: string[] = []) =>
  extension('broken', () => {
    if (where === 'setup') throw new Error('no disk')
    return {
      start: () => {
        throw new Error('no disk')
      },
      stop: () => void said.push('stop broken')
    }
  })()

describe('reload', () => {
  it('keeps an extension whose options did not change, with its state', async () => {
    const said: string[] = []
    const a = marked(said)
    const { kernel } = await running([a()])
    expect(await kernel.current.calls.hello(hello)).deep.equal({ deny: 'x1' })
    expect(await kernel.reload([a({ mark: 'x' }), other()])).deep.equal({
      side: 'server',
      kept: ['marked'],
      added: ['other'],
      removed: []
    })
    expect(kernel.current.id).equal(2)
    expect(await kernel.current.calls.hello(hello)).deep.equal({ deny: 'x2' })
    expect(said).deep.equal(['setup x', 'start x'])
    expect(kernel.inspect().hooks.onHello[0]?.calls).equal(2)
  })

  it('makes an extension whose options changed anew: the new one starts before the old one stops', async () => {
    const said: string[] = []
    const a = marked(said)
    const { kernel } = await running([a()])
    await kernel.current.calls.hello(hello)
    const context = await kernel.reload([a({ mark: 'y' })])
    expect(context).deep.include({ kept: [], added: ['marked'], removed: ['marked'] })
    expect(await kernel.current.calls.hello(hello)).deep.equal({ deny: 'y1' })
    await settle()
    expect(said).deep.equal(['setup x', 'start x', 'setup y', 'start y', 'stop x'])
  })

  it('takes two copies of the same package and version for the same, and another version for another', async () => {
    const said: string[] = []
    const from = (version: string): KernelUse => ({ ...marked(said)(), package: { name: '@example/marked', version } })
    const { kernel } = await running([from('1.0.0')])
    expect((await kernel.reload([from('1.0.0')])).kept).deep.equal(['marked'])
    expect((await kernel.reload([from('1.0.1')])).added).deep.equal(['marked'])
    expect((await kernel.reload([marked(said)()])).added).deep.equal(['marked'])
  })

  it('goes by the new order', async () => {
    const on = (name: string) => extension(name, ({ hooks }) => void hooks.onHello.tap(() => ({ deny: name })))()
    const [a, b] = [on('a'), on('b')]
    const { kernel } = await running([a, b])
    expect(await kernel.current.calls.hello(hello)).deep.equal({ deny: 'a' })
    await kernel.reload([b, a])
    expect(await kernel.current.calls.hello(hello)).deep.equal({ deny: 'b' })
  })

  it('replays registrations, and forgets those of what is gone', async () => {
    const discovery = (name: string) => extension(name, ({ registries }) => registries.discoveries.add({ name }))()
    const [a, b] = [discovery('a'), discovery('b')]
    const { kernel } = await running([a, b])
    const before = kernel.current
    await kernel.reload([b])
    expect(kernel.current.registries.discoveries.list()).deep.equal(['b'])
    expect(before.registries.discoveries.list()).deep.equal(['a', 'b'])
  })

  it('calls onReload of the new generation, and a throw there changes nothing', async () => {
    const seen: ReloadContext[] = []
    const watch = extension('watch', ({ hooks }) => {
      hooks.onReload.tap((context) => {
        seen.push(context)
        throw new Error('x')
      })
    })
    const { kernel, log } = await running([other()])
    const context = await kernel.reload([watch()])
    expect(seen).deep.equal([context])
    expect(context).deep.equal({ side: 'server', kept: [], added: ['watch'], removed: ['other'] })
    expect(log.lines).length(1)
    expect(kernel.current.id).equal(2)
  })

  it('before a start sets up what is new and stops what is gone, and starts nothing', async () => {
    const said: string[] = []
    const { kernel } = await provisioned([other('a', said)])
    await kernel.reload([other('b', said)])
    await settle()
    expect(said).deep.equal(['setup a', 'setup b', 'stop a'])
    await kernel.start()
    expect(said.at(-1)).equal('start b')
  })
})

describe('the preparation of a reload', () => {
  it('gets the next generation when everything in it has started, while the present one is still in use', async () => {
    const said: string[] = []
    const { kernel } = await running([marked(said)()])
    const before = kernel.current
    await kernel.reload([marked(said)({ mark: 'y' })], async (next) => {
      expect(said.at(-1)).equal('start y')
      expect(kernel.current).equal(before)
      expect(next.id).equal(before.id + 1)
      expect(await next.calls.hello(hello)).deep.equal({ deny: 'y1' })
    })
    expect(kernel.current.id).equal(before.id + 1)
  })

  it('leaves everything as it was when it fails', async () => {
    const said: string[] = []
    const a = marked(said)
    const { kernel } = await running([a()])
    const before = kernel.current
    const prepare = () => Promise.reject(new RystraError('listen.in-use'))
    await failure(kernel.reload([a(), other('new', said)], prepare), 'listen.in-use')
    expect(kernel.current).equal(before)
    expect(said).deep.equal(['setup x', 'start x', 'setup new', 'start new', 'stop new'])
    expect(kernel.inspect().generations).equal(1)
  })

  it('is not called when something failed before', async () => {
    const { kernel } = await running([])
    let called = false
    const prepare = async (): Promise<void> => {
      called = true
    }
    await failure(kernel.reload([broken('start')], prepare), 'extension.start-failed')
    expect(called).equal(false)
  })
})

describe('a reload that fails', () => {
  const failing: Record<string, [KernelUse[], Parameters<typeof failure>[1]]> = {
    'in its options': [[marked([])({ mark: 1 } as never)], 'extension.options'],
    'in a set-up': [[other('new'), broken('setup')], 'extension.setup-failed'],
    'in what is required': [[defineExtension({ name: 'needy', requires: ['x'], setup() {} })()], 'extension.requires'],
    'in a start': [[other('new'), broken('start')], 'extension.start-failed'],
    'in a name': [[other('new'), other('new')], 'extension.duplicate']
  }
  for (const [where, [uses, code]] of Object.entries(failing)) {
    it(`${where} leaves everything as it was`, async () => {
      const said: string[] = []
      const a = marked(said)
      const { kernel } = await running([a(), other('kept', said)])
      const before = kernel.current
      await kernel.current.calls.hello(hello)
      await failure(kernel.reload([a(), ...uses].slice(code === 'extension.options' ? 1 : 0)), code)
      await settle()
      expect(kernel.current).equal(before)
      expect(kernel.state).equal('running')
      expect(await kernel.current.calls.hello(hello)).deep.equal({ deny: 'x2' })
      expect(said).deep.equal(['setup x', 'setup kept', 'start x', 'start kept'])
      expect(kernel.inspect().generations).equal(1)
      await kernel.reload([a()])
      await settle()
      expect(said.slice(4)).deep.equal(['stop kept'])
      await kernel.reload([])
      await settle()
      expect(said.slice(4)).deep.equal(['stop kept', 'stop x'])
    })
  }

  it('stops what was newly set up or started, in reverse order', async () => {
    const said: string[] = []
    const { kernel } = await running([])
    const uses = [other('one', said), other('two', said), broken('start', said)]
    await failure(kernel.reload(uses), 'extension.start-failed')
    expect(said.slice(-3)).deep.equal(['stop broken', 'stop two', 'stop one'])
  })
})

describe('concurrent calls', () => {
  it('reload one after the other, in the order of the calls', async () => {
    const said: string[] = []
    const { kernel } = await running([])
    const contexts = await Promise.all(['a', 'b', 'c'].map((name) => kernel.reload([other(name, said)])))
    await settle()
    expect(contexts.map(({ added, removed }) => [...added, ...removed].join())).deep.equal(['a', 'b,a', 'c,b'])
    expect(said.filter((line) => !line.startsWith('stop'))).deep.equal(
      ['a', 'b', 'c'].flatMap((name) => [`setup ${name}`, `start ${name}`])
    )
    expect(kernel.current.id).equal(4)
  })

  it('reload after one that failed', async () => {
    const { kernel } = await running([])
    const [bad, good] = await Promise.allSettled([kernel.reload([broken('setup')]), kernel.reload([other()])])
    expect([bad?.status, good?.status]).deep.equal(['rejected', 'fulfilled'])
  })

  it('reload once a start that is under way is through', async () => {
    const said: string[] = []
    const { kernel } = await provisioned([other('a', said)])
    const [, context] = await Promise.all([kernel.start(), kernel.reload([other('b', said)])])
    expect(context.added).deep.equal(['b'])
    expect(said.slice(0, 4)).deep.equal(['setup a', 'start a', 'setup b', 'start b'])
  })

  it('refuse to reload after a start that failed', async () => {
    const { kernel } = await provisioned([broken('start')])
    const [start, reload] = await Promise.allSettled([kernel.start(), kernel.reload([])])
    expect([start.status, reload.status]).deep.equal(['rejected', 'rejected'])
    await failure(kernel.reload([]), 'kernel.state')
  })

  it('refuse to reload while stopping, and after', async () => {
    const { kernel } = await running([])
    const stopped = kernel.stop()
    await failure(kernel.reload([]), 'kernel.state')
    await stopped
    await failure(kernel.reload([]), 'kernel.state')
  })

  it('give up a reload that is under way when the kernel is to stop, and stop what it had started', async () => {
    const said: string[] = []
    let ready = (): void => {}
    const slow = extension('slow', () => ({
      start: () => new Promise<void>((resolve) => (ready = resolve)),
      stop: () => void said.push('stop slow')
    }))()
    const { kernel } = await running([other('a', said)])
    const outcome = failure(kernel.reload([slow, other('b', said)]), 'kernel.state')
    await settle()
    const stopped = kernel.stop()
    ready()
    await outcome
    await stopped
    expect(said.slice(-4)).deep.equal(['setup b', 'stop b', 'stop slow', 'stop a'])
  })
})
