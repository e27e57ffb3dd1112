import { expect } from 'chai'
import { gatedPorts, SharedPorts } from '../src/index.js'
import { never, readAll, until } from './outcome.js'
import { cleanUp, later } from './proxies.js'
import { begins, connect, gone } from './shared-world.js'

describe('gated ports', () => {
  afterEach(cleanUp)

  /** A gate in front of one listener, and a connection that waits at it. */
  const gated = async (onSocket: Parameters<SharedPorts['listenTcp']>[0]['onSocket']) => {
    const ports = new SharedPorts()
    const gate = gatedPorts(ports)
    const options = { host: '127.0.0.1', port: 0, recognises: begins(''), onSocket }
    const { address, close } = await gate.ports.listenTcp(options, never)
    later(close)
    const waits = async () => {
      const before = Object.values(ports.accepted.counts)[0] ?? 0
      const socket = await connect(address.port)
      await until(() => Object.values(ports.accepted.counts)[0] === before + 1)
      return socket
    }
    return { gate, waits }
  }

  it('hands connections over when it is opened, and ends none but that whose handler throws', async () => {
    let count = 0
    const { gate, waits } = await gated((socket) => {
      count += 1
      if (count === 1) throw new Error('the first one')
      socket.end('here')
    })
    const first = await waits()
    const second = await waits()
    expect(count, 'before it is opened').to.equal(0)
    const answer = readAll(second)
    gate.open()
    await gone(first)
    expect(await answer).to.equal('here')
  })

  it('closes connections that wait when it is never opened', async () => {
    let count = 0
    const { gate, waits } = await gated(() => {
      count += 1
    })
    const socket = await waits()
    gate.close()
    await gone(socket)
    gate.open()
    expect(count).to.equal(0)
  })
})
