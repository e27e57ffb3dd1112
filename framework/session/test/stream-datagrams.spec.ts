import type { HookCalls } from '@rystra/kernel'
import { expect } from 'chai'
import type { OpenStreamContext } from '@rystra/plugin'
import { PassThrough } from 'node:stream'
import { StreamLifecycle } from '../src/index.js'
import { FakeClock, generation, streamInfo } from './fakes.js'

const begin = (calls: Partial<HookCalls>, hooked = true) => {
  const held = generation(calls, {})
  let reports = 0
  const run = new StreamLifecycle(streamInfo, 'toService', {
    generation: held,
    clock: new FakeClock(),
    tables: [],
    hooked,
    closed: () => void reports++
  })
  return { run, held, reports: () => reports }
}

const opening = (tap: (context: OpenStreamContext) => void): Partial<HookCalls> => ({
  openStream: (context) => {
    tap(context)
    return undefined
  }
})

describe('a stream whose visitor has datagrams', () => {
  it('gives what taps and pacers make of each of them', () => {
    const { run } = begin({
      ...opening(({ pace }) => {
        pace((bytes, direction) => (direction === 'toService' ? bytes : 0))
        pace(() => 5)
      }),
      dataTap: (_, direction) => (direction === 'toVisitor' ? (chunk) => Buffer.from(`<${chunk}>`) : undefined)
    })
    expect(run.admit()).to.equal(undefined)
    const { pace, tap } = run.byDatagram()
    expect([pace?.(9, 'toService'), pace?.(2, 'toService'), pace?.(9, 'toVisitor')]).to.deep.equal([9, 5, 5])
    expect(String(tap?.(Buffer.from('a'), 'toVisitor'))).to.equal('<a>')
    expect(String(tap?.(Buffer.from('a'), 'toService'))).to.equal('a')
  })

  it('costs nothing where nothing is in the path', () => {
    expect(begin({}).run.byDatagram()).to.deep.equal({})
  })

  it('is refused when a transform is in the path', () => {
    const { run } = begin(opening(({ through }) => through({ toVisitor: new PassThrough() })))
    void run.admit()
    expect(() => run.byDatagram())
      .to.throw('concerns')
      .with.property('code', 'stream.refused')
  })

  it('is carried by one that no hook hears of', () => {
    const unexpected = (): never => expect.fail('a hook was asked')
    const { run, held, reports } = begin({ openStream: unexpected, dataTap: unexpected }, false)
    expect(run.admit()).to.equal(undefined)
    expect(run.byDatagram()).to.deep.equal({})
    run.report('end', 1, 2)
    expect([held.closed.length, held.held, reports()]).to.deep.equal([0, 0, 1])
  })
})
