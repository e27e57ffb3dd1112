import { expect } from 'chai'
import type net from 'node:net'
import { duplexOf, rawOf } from '../src/index.js'
import { pattern, until } from './reading.js'
import { tcpPair, tidy } from './sockets.js'
import { received, sent, ending } from './relayed.js'

afterEach(tidy)

describe('a Duplex made of a raw stream', () => {
  it('carries bytes, ends and back-pressure both ways', async () => {
    const { dialed, accepted } = await tcpPair()
    const duplex = duplexOf(rawOf(dialed))
    const [up, down] = [pattern(2 << 20, 1), pattern(2 << 20, 2)]
    const [there, here] = await Promise.all([
      received(accepted),
      received(duplex as net.Socket),
      sent(duplex as net.Socket, up, 1),
      sent(accepted, down, 2)
    ])
    expect(there.equals(up)).to.equal(true)
    expect(here.equals(down)).to.equal(true)
    await until(() => duplex.closed, 'it closed')
  })

  it('resets when it is destroyed, and is destroyed when it is reset', async () => {
    const { dialed, accepted } = await tcpPair()
    const duplex = duplexOf(rawOf(dialed))
    const seen = ending(accepted)
    duplex.destroy()
    expect(await seen).to.equal('ECONNRESET')
    const again = await tcpPair()
    const second = duplexOf(rawOf(again.dialed))
    const failed = ending(second as net.Socket)
    again.accepted.resetAndDestroy()
    expect(await failed).to.equal('ECONNRESET')
  })

  it('fails at once when the raw stream is over already', async () => {
    const { dialed } = await tcpPair()
    const raw = rawOf(dialed)
    dialed.destroy()
    await until(() => raw.closed, 'it is closed')
    const duplex = duplexOf(raw)
    expect(await ending(duplex as net.Socket)).to.match(/closed before/)
  })
})
