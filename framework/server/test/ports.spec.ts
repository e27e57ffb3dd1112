import { expect } from 'chai'
import fc from 'fast-check'
import { checkHost, checkPort, freePorts, portsOf } from '../src/ports.js'

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

  it('are empty where no port is allowed', () => {
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

describe('the ports of a spec', () => {
  const allowed = [
    { from: 2000, to: 2999 },
    { from: 5000, to: 5000 }
  ]

  it('are those of the server, and no others, where it names some', () => {
    expect(portsOf(allowed, undefined)).to.equal(allowed)
    expect(portsOf(allowed, ['1000-2001', '2500', '4000-6000', '7000'])).to.deep.equal([
      { from: 2000, to: 2001 },
      { from: 2500, to: 2500 },
      { from: 5000, to: 5000 }
    ])
    expect(portsOf(allowed, [])).to.deep.equal([])
  })

  it('are refused when they are malformed', () => {
    for (const ports of [['0'], ['9-1'], ['a'], '2000', [70_000]])
      expect(() => portsOf(allowed, ports), String(ports)).to.throw('ports: expected')
  })
})
