import { until } from '@rystra/testkit'
import { expect } from 'chai'
import type { LookupAddress } from 'node:dns'
import net from 'node:net'
import { dialTcp } from '../src/index.js'
import type { DialEnvironment } from '../src/dial.js'
import { type Attempt, interleave, raceAddresses, socketAttempt } from '../src/race.js'
import { failure, never } from './outcome.js'
import { cleanUp, freePort, later, serveSocket } from './proxies.js'

const v4 = (address: string): LookupAddress => ({ address, family: 4 })
const v6 = (address: string): LookupAddress => ({ address, family: 6 })

const dial = async (host: string, port: number, world: DialEnvironment = {}, signal = never): Promise<net.Socket> => {
  const socket = await dialTcp({ host, port }, signal, { env: {}, ...world })
  later(() => socket.destroy())
  return socket
}

describe('dialing', () => {
  afterEach(cleanUp)

  it('reaches a name whose first addresses are dead', async () => {
    const port = await serveSocket(() => {})
    const lookup = async () => [v6('::1'), v4('127.0.0.2'), v4('127.0.0.1')]
    const socket = await dial('server.example', port, { lookup })
    expect(socket.remoteAddress).to.equal('127.0.0.1')
    expect([socket.constructor, socket.allowHalfOpen]).to.deep.equal([net.Socket, true])
    expect(socket.eventNames().filter((name) => name !== 'end')).to.deep.equal([])
  })

  it('says of each address why it could not be reached', async () => {
    const port = await freePort()
    const error = await failure(
      dial('server.example', port, { lookup: async () => [v4('127.0.0.1'), v4('127.0.0.2')] })
    )
    expect([error.code, error.detail]).to.deep.equal([
      'connect.unreachable',
      `tcp server.example:${port}, 127.0.0.1: connection refused, 127.0.0.2: connection refused`
    ])
    expect((await failure(dial('::1', 1))).detail).to.match(/^tcp \[::1\]:1, /)
    const many = Array.from({ length: 40 }, (_, i) => v4(`127.0.0.${i + 1}`))
    const some = await failure(dial('server.example', port, { lookup: async () => many }))
    expect(some.detail).to.match(/127\.0\.0\.6: connection refused and 10 more$/)
  })

  it('says that a name is unknown, or has no address', async () => {
    const lookup = async (): Promise<LookupAddress[]> => {
      throw Object.assign(new Error('no'), { code: 'ENOTFOUND' })
    }
    expect((await failure(dial('a.example', 7000, { lookup }))).detail).to.equal('tcp a.example:7000, host not found')
    const none = await failure(dial('a.example', 7000, { lookup: async () => [] }))
    expect(none.detail).to.equal('tcp a.example:7000, the name has no address')
  })

  it('does not wait for the resolver when it is given up', async () => {
    const controller = new AbortController()
    const lookup = (): Promise<LookupAddress[]> => {
      controller.abort(new Error('enough'))
      return new Promise(() => {})
    }
    const error = await failure(dial('a.example', 7000, { lookup }, controller.signal))
    expect([error.code, error.detail]).to.deep.equal(['connect.unreachable', 'tcp a.example:7000, enough'])
  })
})

describe('a race of addresses', () => {
  afterEach(cleanUp)

  it('lets the families take turns, in the order of the resolver', () => {
    expect(interleave([v6('a'), v6('b'), v6('c'), v4('d'), v4('d'), v4('e')])).to.deep.equal(['a', 'd', 'b', 'c', 'e'])
    expect(interleave([v4('a'), v6('b'), v4('c')])).to.deep.equal(['a', 'b', 'c'])
    expect(interleave(Array.from({ length: 40 }, (_, i) => v4(String(i))))).to.have.length(16)
  })

  /** Sockets that connect or fail when a test says so. */
  const fakes = () => {
    const sockets = new Map<string, net.Socket>()
    const connect = (address: string): Attempt<net.Socket> => {
      const socket = new net.Socket()
      sockets.set(address, socket)
      return socketAttempt(socket)
    }
    return { sockets, connect, tried: () => [...sockets.keys()] }
  }
  it('starts the next attempt next to a silent one, which may still win', async () => {
    const { sockets, connect, tried } = fakes()
    const race = raceAddresses(['one', 'two', 'three'], { connect, signal: never, delay: 1 })
    await until(() => tried().length === 3)
    expect([...sockets.values()].map(({ destroyed }) => destroyed)).to.deep.equal([false, false, false])
    sockets.get('one')?.emit('connect')
    expect(await race).to.equal(sockets.get('one'))
    expect([...sockets.values()].map(({ destroyed }) => destroyed)).to.deep.equal([false, true, true])
    expect(sockets.get('one')?.listenerCount('error')).to.equal(0)
  })

  it('starts the next attempt at once when one fails', async () => {
    const { sockets, connect, tried } = fakes()
    const race = raceAddresses(['one', 'two'], { connect, signal: never, delay: 60_000 })
    expect(tried()).to.deep.equal(['one'])
    sockets.get('one')?.emit('error', new Error('dead'))
    await until(() => tried().length === 2)
    expect(tried()).to.deep.equal(['one', 'two'])
    sockets.get('two')?.emit('connect')
    expect(await race).to.equal(sockets.get('two'))
    sockets.get('two')?.destroy()
  })

  it('fails when all attempts have failed, in any order', async () => {
    const { sockets, connect, tried } = fakes()
    const race = raceAddresses(['one', 'two'], { connect, signal: never, delay: 1 })
    const failed = race.catch((error: AggregateError) => error.errors)
    await until(() => tried().length === 2)
    sockets.get('two')?.emit('error', new Error('second'))
    sockets.get('one')?.emit('error', new Error('first'))
    expect((await failed) as Error[]).to.satisfy(
      (all: Error[]) => all.map(({ message }) => message).join() === 'second,first'
    )
  })

  it('destroys all attempts on abort', async () => {
    const { sockets, connect, tried } = fakes()
    const controller = new AbortController()
    const race = raceAddresses(['one', 'two', 'three'], { connect, signal: controller.signal, delay: 1 })
    const failed = race.catch((error: Error) => error.message)
    await until(() => tried().length === 2)
    controller.abort(new Error('enough'))
    expect(await failed).to.equal('enough')
    expect([...sockets.values()].every(({ destroyed }) => destroyed)).to.equal(true)
  })
})
