import { expect } from 'chai'
import { FakeClock } from '../src/index.js'

describe('the fake clock', () => {
  it('goes only when told', () => {
    const clock = new FakeClock(1000)
    clock.advance(250)
    expect(clock.now()).to.equal(1250)
  })

  it('lets timers go off in order, each at its own time, also those set on the way', () => {
    const clock = new FakeClock(0)
    const seen: string[] = []
    const say = (what: string) => () => void seen.push(`${what} at ${clock.now()}`)
    clock.after(20, say('late'))
    clock.after(10, () => {
      say('early')()
      clock.after(5, say('nested'))
    })
    clock.after(20, say('later'))
    clock.advance(19)
    expect(seen).to.deep.equal(['early at 10', 'nested at 15'])
    expect(clock.next).to.equal(1)
    clock.advance(1)
    expect(seen.slice(2)).to.deep.equal(['late at 20', 'later at 20'])
    expect(clock.pending).to.equal(0)
  })

  it('forgets a timer that was called off', () => {
    const clock = new FakeClock()
    const off = clock.after(10, () => expect.fail('it was called off'))
    off()
    off()
    clock.advance(100)
  })

  it('lets promises settle between two timers', async () => {
    const clock = new FakeClock(0)
    const seen: number[] = []
    const again = async (): Promise<void> => {
      await Promise.resolve()
      seen.push(clock.now())
      if (seen.length < 3) clock.after(10, () => void again())
    }
    clock.after(10, () => void again())
    await clock.pass(100)
    expect(seen).to.deep.equal([10, 20, 30])
  })
})
