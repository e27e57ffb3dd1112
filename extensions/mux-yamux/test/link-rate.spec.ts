import { expect } from 'chai'
import { LinkRate } from '../src/link-rate.js'

const KIB = 1024
const [SHARE, FRAME] = [64 * KIB, 1024 * KIB]

/** A link that is blocked for so long, so often, and takes so many bytes each time. */
const measured = (
  times: number,
  { took, bytes, idle = 0, busy = true }: { took: number; bytes: number; idle?: number; busy?: boolean }
): { rate: LinkRate; limits: number[] } => {
  const limits: number[] = []
  const rate = new LinkRate((limit) => limits.push(limit) > 0)
  let now = 1000
  for (let time = 0; time < times; time++) {
    rate.wrote(bytes)
    rate.blocked(now)
    now += took
    rate.unblocked(busy, now)
    now += idle
  }
  return { rate, limits }
}

describe('the rate of a link', () => {
  it('is not known at first: frames have their full size, and 512 KiB wait in the kernel', () => {
    const { rate, limits } = measured(0, { took: 0, bytes: 0 })
    expect([rate.share(SHARE), rate.frame(FRAME), limits]).to.deep.equal([SHARE, FRAME, [512 * KIB]])
  })

  it('of 50 Mbit/s gives each stream 3 ms of it at a time, and keeps 20 ms of it in the kernel', () => {
    const { rate, limits } = measured(30, { took: 10, bytes: 62_500 })
    expect([rate.share(SHARE), rate.frame(FRAME), limits]).to.deep.equal([18_750, 125_000, [512 * KIB, 125_000]])
  })

  it('has a least share and a least wait, so that a very slow link is not cut to nothing', () => {
    const { rate, limits } = measured(30, { took: 10, bytes: 1000 })
    expect([rate.share(SHARE), rate.frame(FRAME), limits.at(-1)]).to.deep.equal([16 * KIB, 64 * KIB, 64 * KIB])
  })

  it('that is high limits nothing', () => {
    const { rate, limits } = measured(300, { took: 1, bytes: 1_000_000 })
    expect([rate.share(SHARE), rate.frame(FRAME), limits]).to.deep.equal([SHARE, FRAME, [512 * KIB, 0]])
  })

  it('is not measured while the link waits for its streams', () => {
    const { rate, limits } = measured(300, { took: 1, bytes: 1000, idle: 2 })
    expect([rate.share(SHARE), rate.frame(FRAME), limits]).to.deep.equal([SHARE, FRAME, [512 * KIB]])
  })

  it('is not measured by frames without payload', () => {
    const { rate, limits } = measured(300, { took: 10, bytes: 24, busy: false })
    expect([rate.share(SHARE), rate.frame(FRAME), limits]).to.deep.equal([SHARE, FRAME, [512 * KIB]])
  })

  it('is at least what the link carries while it waits for its streams', () => {
    const { rate, limits } = measured(300, { took: 1, bytes: 1_000_000, idle: 2 })
    expect([rate.share(SHARE), rate.frame(FRAME), limits]).to.deep.equal([SHARE, FRAME, [512 * KIB, 0]])
  })

  it('is measured again: a link that has become faster is limited no more', () => {
    const { rate, limits } = measured(30, { took: 10, bytes: 1000 })
    for (let now = 2000; now < 2400; now++) {
      rate.wrote(1_000_000)
      rate.blocked(now)
      rate.unblocked(true, now + 1)
    }
    expect([rate.share(SHARE), rate.frame(FRAME), limits.at(-1)]).to.deep.equal([SHARE, FRAME, 0])
  })

  it('is measured again though the link has become so fast that it is never blocked', () => {
    const { rate } = measured(30, { took: 10, bytes: 1000 })
    expect(rate.share(SHARE)).to.equal(16 * KIB)
    for (let now = 2000; now < 2400; now++) {
      rate.wrote(1_000_000)
      rate.free(now)
    }
    expect([rate.share(SHARE), rate.frame(FRAME)]).to.deep.equal([SHARE, FRAME])
  })
})
