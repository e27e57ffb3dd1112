import { expect } from 'chai'
import fc from 'fast-check'
import { checkHost, checkPort, freePorts } from '../src/ports.js'

const ranges = [
  { from: 2000, to: 2002 },
  { from: 3000, to: 3000 }
]

describe('free ports', () => {
  it('are all that are allowed, each once, wherever the search begins', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (random) => {
        expect([...freePorts(ranges, () => random)].sort()).to.deep.equal([2000, 2001, 2002, 3000])
      })
    )
  })

  it('are none where none is allowed', () => {
    expect([...freePorts([])]).to.deep.equal([])
  })
})

describe('what a client may ask for', () => {
  it('is a port of the ranges, and the refusal names them', () => {
    checkPort(ranges, 2002)
    expect(() => checkPort(ranges, 2003)).to.throw(/2003; allowed: 2000-2002/)
  })

  it('is the address that the server publishes on, or one of its family where that means all', () => {
    for (const [publish, host] of [
      ['0.0.0.0', '127.0.0.1'],
      ['::', '127.0.0.1'],
      ['::', '::1'],
      ['192.0.2.1', '192.0.2.1']
    ] as const) {
      checkHost(publish, host)
    }
    for (const [publish, host] of [
      ['127.0.0.1', '0.0.0.0'],
      ['0.0.0.0', '::'],
      ['0.0.0.0', 'localhost'],
      ['192.0.2.1', '192.0.2.2']
    ] as const) {
      expect(() => checkHost(publish, host), `${publish} ${host}`)
        .to.throw()
        .with.property('code', 'proxy.refused')
    }
  })
})
