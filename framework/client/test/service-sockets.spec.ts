import type { RystraError } from '@rystra/model'
import { expect } from 'chai'
import { ServiceSockets } from '../src/service-sockets.js'

const refusal = (run: () => unknown): string => {
  try {
    run()
  } catch (error) {
    const { code, detail } = error as RystraError
    return `${code}: ${detail}`
  }
  return 'none'
}

describe('connections to services', () => {
  it('are bounded by visitor address, so that others are served, and as a whole', () => {
    const sockets = new ServiceSockets(8)
    const held = Array.from({ length: 4 }, () => sockets.admit('192.0.2.1'))
    expect(refusal(() => sockets.admit('192.0.2.1'))).to.equal('stream.limit: 4 connections to services for 192.0.2.1')
    for (const host of ['192.0.2.2', '192.0.2.3', '192.0.2.4', '192.0.2.5']) sockets.admit(host)
    expect(refusal(() => sockets.admit('192.0.2.6'))).to.match(/^stream.limit: 8 connections to services/)
    held.pop()?.()
    sockets.admit('192.0.2.1')
    expect(refusal(() => sockets.admit('192.0.2.1'))).to.match(/^stream.limit/)
  })

  it('have room for one visitor under any limit, and for any number without a limit', () => {
    new ServiceSockets(1).admit('192.0.2.1')
    const unlimited = new ServiceSockets(Number.POSITIVE_INFINITY)
    for (let count = 0; count < 5000; count += 1) unlimited.admit('192.0.2.1')
  })
})
