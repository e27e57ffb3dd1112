import { expect } from 'chai'
import { visitorOf } from '../src/index.js'

describe('the addresses of a visitor', () => {
  it('are in plain form, also where a socket takes IPv4 and IPv6', () => {
    const socket = { remoteAddress: '::ffff:198.51.100.9', remotePort: 5, localAddress: 'FE80::1%eth0', localPort: 1 }
    expect(visitorOf(socket)).deep.equal({ host: '198.51.100.9', port: 5, to: { host: 'fe80::1', port: 1 } })
  })

  it('are unknown when it is gone', () => {
    expect(visitorOf({})).deep.equal({ host: 'unknown', port: 0, to: { host: 'unknown', port: 0 } })
  })
})
