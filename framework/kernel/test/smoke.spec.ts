import { defineExtension, Type } from '@rystra/plugin'
import { expect } from 'chai'
import { Kernel } from '../src/index.js'

describe('smoke', () => {
  it('provisions, starts, reloads, stops', async () => {
    const said: string[] = []
    const a = defineExtension({
      name: 'a',
      options: Type.Object({ x: Type.Integer({ default: 1 }) }),
      setup({ hooks, options }) {
        said.push(`setup ${options.x}`)
        hooks.onHello.tap(() => (options.x > 1 ? { deny: 'no' } : undefined))
        return { start: () => void said.push('start'), stop: () => void said.push('stop') }
      }
    })
    const kernel = new Kernel({ side: 'server' })
    await kernel.provision([a()])
    await kernel.start()
    expect(await kernel.current.calls.hello({} as never)).equal(undefined)
    expect(await kernel.reload([a({ x: 2 })])).deep.equal({ side: 'server', kept: [], added: ['a'], removed: ['a'] })
    expect(await kernel.current.calls.hello({} as never)).deep.equal({ deny: 'no' })
    await kernel.stop()
    expect(said).deep.equal(['setup 1', 'start', 'setup 2', 'start', 'stop', 'stop'])
  })
})
