import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { StreamInfo } from '@rystra/plugin'
import { expect } from 'chai'
import { extension, failure, hello, opening, settle, stream } from './fixtures.js'
import { marked, other, running } from './marked.js'

describe('a generation that is held', () => {
  it('still has its taps for a stream that began in it', async () => {
    const deny = extension('deny', ({ hooks }) => {
      hooks.onOpenStream.tap(() => ({ deny: 'old' }))
      hooks.onData.tap(() => Buffer.from('old'))
    })
    const { kernel } = await running([deny()])
    const old = kernel.current
    const release = old.hold()
    const pinned = old.calls.dataTap(stream(), 'toService')
    await kernel.reload([])
    expect(kernel.current.calls.openStream(opening())).equal(undefined)
    expect(kernel.current.calls.dataTap(stream(), 'toService')).equal(undefined)
    expect(await old.calls.openStream(opening())).deep.equal({ deny: 'old' })
    expect(pinned?.(Buffer.from('x')).toString()).equal('old')
    release()
  })

  it('keeps what was removed running until the last holder releases it', async () => {
    const said: string[] = []
    const { kernel, clock } = await running([other('a', said)])
    const [one, two] = [kernel.current.hold(), kernel.current.hold()]
    await kernel.reload([])
    expect(kernel.inspect().generations).equal(2)
    one()
    one()
    one()
    await settle()
    expect(said).not.include('stop a')
    two()
    await settle()
    expect(said.at(-1)).equal('stop a')
    expect(kernel.inspect().generations).equal(1)
    expect(clock.pending).equal(0)
  })

  it('keeps it no longer than the drain deadline', async () => {
    const said: string[] = []
    const { kernel, clock } = await running([other('a', said)])
    const release = kernel.current.hold()
    await kernel.reload([])
    clock.pass(29_999)
    await settle()
    expect(said).not.include('stop a')
    clock.pass(1)
    await settle()
    expect(said.at(-1)).equal('stop a')
    release()
    await settle()
    expect(said.filter((line) => line === 'stop a')).length(1)
  })

  it('has the deadline that the option says', async () => {
    const said: string[] = []
    const { kernel, clock } = await running([other('a', said)], { drain: 5 })
    kernel.current.hold()
    await kernel.reload([])
    clock.pass(5)
    await settle()
    expect(said.at(-1)).equal('stop a')
  })

  it('does not stop what a later generation still has', async () => {
    const said: string[] = []
    const [a, b] = [other('a', said), other('b', said)]
    const { kernel } = await running([a, b])
    const first = kernel.current.hold()
    await kernel.reload([a])
    const second = kernel.current.hold()
    await kernel.reload([])
    first()
    await settle()
    expect(said.filter((line) => line.startsWith('stop'))).deep.equal(['stop b'])
    second()
    await settle()
    expect(said.filter((line) => line.startsWith('stop'))).deep.equal(['stop b', 'stop a'])
  })

  it('gives an extension back when its removal is taken back before it has stopped', async () => {
    const said: string[] = []
    const a = marked(said)
    const { kernel } = await running([a()])
    await kernel.current.calls.hello(hello)
    const release = kernel.current.hold()
    await kernel.reload([])
    expect((await kernel.reload([a()])).kept).deep.equal(['marked'])
    release()
    await settle()
    expect(await kernel.current.calls.hello(hello)).deep.equal({ deny: 'x2' })
    expect(said).deep.equal(['setup x', 'start x'])
  })

  it('is not released under a reload that takes an extension of it back', async () => {
    const said: string[] = []
    const a = marked(said)
    let ready = (): void => {}
    const slow = extension('slow', () => ({ start: () => new Promise<void>((resolve) => (ready = resolve)) }))()
    const { kernel } = await running([a()])
    const release = kernel.current.hold()
    await kernel.reload([])
    const reloading = kernel.reload([a(), slow])
    await settle()
    release()
    await settle()
    expect(said).not.include('stop x')
    ready()
    await reloading
    await kernel.reload([])
    await settle()
    expect(said.at(-1)).equal('stop x')
  })

  it('is released in the end when the reload that takes an extension of it back fails', async () => {
    const said: string[] = []
    const a = marked(said)
    let fail = (_: Error): void => {}
    const slow = extension('slow', () => ({
      start: () =>
        new Promise<void>((_, reject) => {
          fail = reject
        })
    }))()
    const { kernel } = await running([a()])
    const release = kernel.current.hold()
    await kernel.reload([])
    const outcome = failure(kernel.reload([a(), slow]), 'extension.start-failed')
    await settle()
    release()
    await settle()
    expect(said).not.include('stop x')
    fail(new Error('no disk'))
    await outcome
    await settle()
    expect(said.at(-1)).equal('stop x')
  })

  it('is waited for by a stop of the kernel, when its extensions are stopping', async () => {
    let ready = (): void => {}
    const slow = extension('slow', () => ({
      stop: () =>
        new Promise<void>((resolve) => {
          ready = resolve
        })
    }))()
    const { kernel } = await running([slow])
    await kernel.reload([])
    let stopped = false
    const stop = kernel.stop().then(() => {
      stopped = true
    })
    await settle()
    expect(stopped).equal(false)
    ready()
    await stop
  })

  it('is stopped with the kernel, each caller holds it, and its timer goes as well', async () => {
    const said: string[] = []
    const { kernel, clock } = await running([other('a', said)])
    const release = kernel.current.hold()
    await kernel.reload([other('b', said)])
    await kernel.stop()
    expect(said.slice(-2)).deep.equal(['stop b', 'stop a'])
    expect(clock.pending).equal(0)
    release()
  })
})

describe('1,000 reloads', () => {
  it('leave nothing behind: generations, streams and removed extensions are collected', async () => {
    setFlagsFromString('--expose-gc')
    const gc = runInNewContext('gc') as () => void
    const stay = marked([])
    const { kernel, clock } = await running([stay()])
    const generations: WeakRef<object>[] = []
    const instances: WeakRef<object>[] = []
    const passing = () => {
      const state = { big: Buffer.alloc(1000) }
      instances.push(new WeakRef(state))
      return extension('passing', ({ hooks }) => {
        hooks.onData.tap({ concerns: () => true }, () => void state.big.length)
        return { stop: () => void state.big.length }
      })()
    }
    for (let i = 0; i < 1000; i++) {
      const release = kernel.current.hold()
      generations.push(new WeakRef(kernel.current))
      kernel.current.calls.dataTap({ ...stream() } as StreamInfo, 'toService')
      await kernel.reload([stay(), passing()])
      release()
    }
    for (let i = 0; i < 5; i++) {
      await settle()
      gc()
    }
    expect(kernel.inspect().generations).equal(1)
    expect(clock.pending).equal(0)
    expect(generations.filter((ref) => ref.deref() !== undefined).length).lessThan(3)
    expect(instances.filter((ref) => ref.deref() !== undefined).length).lessThan(3)
    expect((await kernel.current.calls.hello(hello))?.deny).equal('x1')
  })
})
