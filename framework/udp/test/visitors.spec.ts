import { type Admission, RystraError, type VisitorInfo } from '@rystra/plugin'
import { expect } from 'chai'
import { once } from 'node:events'
import { limitsOf } from '@rystra/udp'
import { ask, bothWays, bound, cleanUp, echoService, portOf, tunnel, turns, until } from './ends.js'

/** Addresses of loopback, of which there are 16 million. */
const address = (index: number): string => `127.1.${Math.floor(index / 200)}.${(index % 200) + 1}`

interface Closed {
  readonly visitor: VisitorInfo
  readonly bytes: [number, number]
  readonly code: string | undefined
}

/** Admits all, and keeps what is reported of them. */
const admitting = (more: Partial<Admission> = {}) => {
  const requested: VisitorInfo[] = []
  const closed: Closed[] = []
  const admit = (visitor: VisitorInfo): Admission => {
    requested.push(visitor)
    return {
      info: {} as Admission['info'],
      ...more,
      close: (up, down, error) => closed.push({ visitor, bytes: [up, down], code: error?.code })
    }
  }
  return { admit, requested, closed }
}

bothWays('visitors over UDP', () => {
  afterEach(cleanUp)

  it('reach the service and are answered, each by itself', async () => {
    const service = await echoService()
    const { port, opened, visitors } = await tunnel(service.port)
    const [one, other] = [await bound(), await bound()]
    expect(String(await ask(one, port, 'from one'))).to.equal('from one')
    expect(String(await ask(other, port, 'from other'))).to.equal('from other')
    const both = [once(one, 'message'), once(other, 'message')]
    one.send('1', port, '127.0.0.1')
    other.send('2', port, '127.0.0.1')
    expect((await Promise.all(both)).map(([datagram]) => String(datagram))).to.deep.equal(['1', '2'])
    expect([opened.length, visitors.sessions, opened[0]?.services.sessions]).to.deep.equal([1, 2, 2])
  })

  for (const host of ['127.0.0.1', '::1']) {
    it(`keep the boundaries of what they send, over ${host}`, async () => {
      const service = await echoService(host)
      const local = host === '::1' ? `[::1]:${service.port}` : service.port
      const { port } = await tunnel(local, { host })
      const visitor = await bound(host)
      for (const size of [0, 1, 2, 1199, 1200, 1472, 9000, 65_507]) {
        const datagram = Buffer.alloc(size, size)
        expect((await ask(visitor, port, datagram, host)).equals(datagram), `${size} bytes`).to.equal(true)
      }
      expect(service.came.length).to.equal(8)
    })
  }

  it('come to a service of the other family', async () => {
    const service = await echoService('::1')
    const { port } = await tunnel(`[::1]:${service.port}`)
    expect(String(await ask(await bound(), port, 'four to six'))).to.equal('four to six')
  })

  it('are forgotten when they are quiet, at both ends, and may come again', async () => {
    const service = await echoService()
    const { admit, closed } = admitting()
    const { port, clock, visitors, opened } = await tunnel(service.port, {
      limits: { sessionTimeout: '30s' },
      visitors: { admit }
    })
    const visitor = await bound()
    await ask(visitor, port, 'hello')
    clock.advance(29_999)
    expect(visitors.sessions).to.equal(1)
    await ask(visitor, port, 'still here')
    clock.advance(29_999)
    expect(visitors.sessions).to.equal(1)
    clock.advance(50)
    expect(visitors.sessions).to.equal(0)
    expect(closed.map(({ bytes, code }) => ({ bytes, code }))).to.deep.equal([{ bytes: [15, 15], code: undefined }])
    await until(() => opened[0]?.services.sessions === 0)
    expect(clock.pending, 'timers without a session').to.be.at.most(1)
    expect(String(await ask(visitor, port, 'again'))).to.equal('again')
  })

  it('push out those that were quiet longest, when there are too many', async () => {
    const service = await echoService()
    const { admit, closed } = admitting()
    const { port, visitors, opened, clock } = await tunnel(service.port, {
      limits: { maxSessions: 8 },
      visitors: { admit }
    })
    const used = await bound(address(0))
    await ask(used, port, 'a')
    await ask(used, port, 'b')
    for (let index = 1; index <= 40; index += 1) {
      clock.advance(200)
      await ask(await bound(address(index)), port, 'x')
      if (index % 8 === 0) await ask(used, port, 'in use')
    }
    expect(visitors.sessions).to.equal(8)
    await until(() => opened[0]?.services.sessions === 8)
    expect(closed.length).to.equal(33)
    expect(closed.map(({ visitor }) => visitor.host)).to.deep.equal(
      Array.from({ length: 33 }, (_, index) => address(index + 1)),
      'the one in use stays'
    )
    expect(new Set(closed.map(({ code }) => code))).to.deep.equal(new Set(['stream.limit']))
  })

  it('are not pushed out while in use, whatever comes: a flood from many addresses is bounded', async () => {
    const service = await echoService()
    const { port, visitors, errors, opened } = await tunnel(service.port, { limits: { maxSessions: 16 } })
    const used = await bound(address(0))
    await ask(used, port, 'a')
    await ask(used, port, 'b')
    let most = 0
    for (let index = 1; index <= 300; index += 1) {
      const spoofed = await bound(address(index))
      spoofed.send('x', port, '127.0.0.1')
      await turns(2)
      most = Math.max(most, visitors.sessions)
      spoofed.close()
    }
    await until(() => visitors.drops.count('sessions') > 0)
    expect(most).to.equal(16)
    expect(opened[0]?.services.sessions).to.be.at.most(16)
    // In this second no more than 16 began; the rest was dropped, and the log has one line about it.
    expect(visitors.drops.count('sessions')).to.be.at.least(280)
    expect(errors.filter(({ code }) => code === 'stream.limit').length).to.equal(1)
    expect(String(await ask(used, port, 'still served'))).to.equal('still served')
  })

  it('that all are in use leave no room', async () => {
    const service = await echoService()
    const { port, visitors, clock } = await tunnel(service.port, { limits: { maxSessions: 2 } })
    const used = [await bound(address(1)), await bound(address(2))]
    for (const visitor of used) {
      await ask(visitor, port, 'a')
      await ask(visitor, port, 'b')
    }
    clock.advance(2000)
    const late = await bound(address(3))
    late.send('let me in', port, '127.0.0.1')
    await until(() => visitors.drops.count('sessions') === 1)
    clock.advance(5000)
    expect(String(await ask(late, port, 'now'))).to.equal('now')
  })

  it('of one address lose their own sessions first', async () => {
    const service = await echoService()
    const { admit, closed } = admitting()
    const { port, visitors } = await tunnel(service.port, { limits: { maxSessionsPerVisitor: 3 }, visitors: { admit } })
    const other = await bound(address(1))
    await ask(other, port, 'another visitor')
    const used = await bound()
    await ask(used, port, 'a')
    await ask(used, port, 'b')
    for (let count = 0; count < 10; count += 1) await ask(await bound(), port, 'x')
    expect(visitors.sessions).to.equal(4)
    const gone = closed.map(({ visitor }) => visitor.port)
    expect(gone.length).to.equal(8)
    expect(gone).to.not.include.members([portOf(used)])
    expect(closed.map(({ visitor }) => visitor.host)).to.not.include(address(1))
  })

  it('may send so many datagrams a second', async () => {
    const service = await echoService()
    const { port, visitors, clock, errors } = await tunnel(service.port, { limits: { packetsPerVisitor: 40 } })
    const [greedy, modest] = [await bound(), await bound(address(1))]
    for (let count = 0; count < 50; count += 1) greedy.send('x', port, '127.0.0.1')
    await until(() => visitors.drops.count('rate') === 40 && service.came.length === 10)
    expect(String(await ask(modest, port, 'one'))).to.equal('one')
    clock.advance(1000)
    for (let count = 0; count < 50; count += 1) greedy.send('x', port, '127.0.0.1')
    await until(() => visitors.drops.count('rate') === 80)
    expect(errors.map(({ code }) => code)).to.deep.equal(['stream.limit'])
  })

  it('are admitted or refused once, and not heard when refused', async () => {
    const service = await echoService()
    let requested = 0
    const admit = (): Promise<Admission> => {
      requested += 1
      return Promise.reject(new RystraError('stream.refused', { detail: 'not on the list' }))
    }
    const { port, visitors, clock } = await tunnel(service.port, {
      visitors: { admit },
      limits: { sessionTimeout: 1000 }
    })
    const visitor = await bound()
    visitor.send('1', port, '127.0.0.1')
    await until(() => requested === 1)
    await turns(20)
    for (let count = 0; count < 5; count += 1) visitor.send('2', port, '127.0.0.1')
    // The one that asked, too.
    await until(() => visitors.drops.count('refused') === 6)
    expect([requested, service.came.length]).to.deep.equal([1, 0])
    clock.advance(1100)
    visitor.send('3', port, '127.0.0.1')
    await until(() => requested === 2)
  })

  it('wait for the decision, in order and not without end', async () => {
    const service = await echoService()
    let let_: (admission: Admission) => void = () => {}
    const { admit } = admitting()
    const { port, visitors } = await tunnel(service.port, {
      visitors: {
        admit: (visitor) =>
          new Promise((resolve) => {
            let_ = () => resolve(admit(visitor))
          })
      }
    })
    const visitor = await bound()
    for (let count = 0; count < 20; count += 1) visitor.send(String(count), port, '127.0.0.1')
    await until(() => visitors.drops.count('refused') === 4)
    expect(service.came.length).to.equal(0)
    let_(undefined as never)
    await until(() => service.came.length === 16)
    expect(service.came.map(String)).to.deep.equal(Array.from({ length: 16 }, (_, index) => String(index)))
  })

  it('are limited by dropping, the first datagram of a new session too, and changed by taps', async () => {
    const service = await echoService()
    let debt = 0
    let limited = false
    const { admit, closed } = admitting({
      // One limit for all sessions; without bytes it answers with the debt of before.
      pace: (bytes) => (debt += limited ? bytes * 500 : 0),
      tap: (datagram, direction) =>
        direction === 'toVisitor'
          ? Buffer.from(String(datagram).toUpperCase())
          : String(datagram) === 'no'
            ? Buffer.alloc(0)
            : datagram
    })
    const { port, visitors, clock } = await tunnel(service.port, { visitors: { admit } })
    const visitor = await bound()
    visitor.send('no', port, '127.0.0.1')
    expect(String(await ask(visitor, port, 'yes'))).to.equal('YES')
    expect(String(await ask(visitor, port, ''))).to.equal('')
    expect(service.came.map(String)).to.deep.equal(['yes', ''])
    limited = true
    visitor.send('a', port, '127.0.0.1')
    visitor.send('b', port, '127.0.0.1')
    await until(() => visitors.drops.count('rate') === 1)
    const another = await bound()
    another.send('first', port, '127.0.0.1')
    await until(() => visitors.drops.count('rate') === 2)
    expect(service.came.map(String), 'the first datagram of a new session').not.to.include('first')
    limited = false
    debt = 0
    clock.advance(500)
    await ask(visitor, port, 'c')
    visitors.close()
    expect(closed.map(({ bytes }) => bytes)).to.deep.equal([
      [5, 4],
      [0, 0]
    ])
  })

  it('whose tap throws are ended, and no others', async () => {
    const service = await echoService()
    const { admit, closed } = admitting({
      tap: (datagram) => {
        if (String(datagram) === 'bad') throw new Error('a tap with a bug')
        return datagram
      }
    })
    const { port } = await tunnel(service.port, { visitors: { admit } })
    const [one, other] = [await bound(), await bound()]
    await ask(one, port, 'good')
    await ask(other, port, 'good')
    one.send('bad', port, '127.0.0.1')
    await until(() => closed.length === 1)
    expect(closed[0]).to.deep.include({ code: 'hook.failed' })
    expect(String(await ask(other, port, 'fine'))).to.equal('fine')
  })

  it('of a datagram whose code throws are ended, and no others: a socket has no connection that the process could close', async () => {
    const service = await echoService()
    const bad = (host: string): boolean => host === '127.0.0.9'
    const { admit, closed } = admitting()
    const throwing = (visitor: VisitorInfo): Admission => {
      const admission = admit(visitor)
      const fail = (): never => {
        throw new Error('a fault in the code')
      }
      if (!bad(visitor.host)) return admission
      const close: Admission['close'] = (...answers) => {
        admission.close(...answers)
        fail() // Called where nothing is expected to throw.
      }
      return { ...admission, tap: fail, close }
    }
    const { port, visitors, errors } = await tunnel(service.port, { visitors: { admit: throwing } })
    const [one, other] = [await bound('127.0.0.9'), await bound()]
    one.send('bad', port, '127.0.0.1')
    await until(() => closed.length === 1)
    expect(String(await ask(other, port, 'fine'))).to.equal('fine')
    expect([closed[0]?.code, visitors.drops.count('exception'), visitors.sessions]).to.deep.equal(['hook.failed', 1, 1])
    expect(errors.map(({ code }) => code)).to.deep.equal(['internal'])
  })

  it('hold back what comes while the stream is being opened, and open it again after it broke, but not at once', async () => {
    const service = await echoService()
    const { port, opened, clock, visitors, errors } = await tunnel(service.port)
    const visitor = await bound()
    await ask(visitor, port, 'first')
    opened[0]?.far.stream.destroy()
    await until(() => errors.length === 1)
    expect(errors[0]?.code).to.equal('stream.reset')
    visitor.send('lost', port, '127.0.0.1')
    await until(() => visitors.drops.count('closed') === 1)
    clock.advance(100)
    expect(String(await ask(visitor, port, 'second'))).to.equal('second')
    expect([opened.length, visitors.sessions]).to.deep.equal([2, 1])
  })

  it('get nothing when the stream cannot be opened; the log has the error', async () => {
    const failing = (): Promise<never> => Promise.reject(new RystraError('stream.service-unreachable'))
    const { port, visitors, errors, clock } = await tunnel(1, { visitors: { open: failing } })
    const visitor = await bound()
    for (const delay of [0, 100, 200, 400]) {
      clock.advance(delay)
      const before = errors.length
      visitor.send('x', port, '127.0.0.1')
      await until(() => errors.length > before)
    }
    expect(new Set(errors.map(({ code }) => code))).to.deep.equal(new Set(['stream.service-unreachable']))
    visitor.send('x', port, '127.0.0.1')
    await until(() => visitors.drops.count('closed') === 5)
  })

  it('are not answered under a number without a session', async () => {
    const service = await echoService()
    const { port, opened, errors } = await tunnel(service.port, { datagrams: {} })
    const visitor = await bound()
    await ask(visitor, port, 'hello')
    opened[0]?.far.datagrams?.send(Buffer.from([9, 9, 9, 9, 1]))
    opened[0]?.far.stream.write(Buffer.from([9, 9, 9, 9, 0, 1, 1, 0, 0, 0, 0, 255, 255]))
    expect(String(await ask(visitor, port, 'fine'))).to.equal('fine')
    expect(errors).to.deep.equal([])
  })

  it('leave nothing behind', async () => {
    const service = await echoService()
    const { port, socket, opened, visitors, clock } = await tunnel(service.port)
    await ask(await bound(), port, 'hello')
    visitors.close()
    expect(await opened[0]?.services.done).to.equal(undefined)
    expect([visitors.sessions, opened[0]?.services.sessions, clock.pending]).to.deep.equal([0, 0, 0])
    expect(socket.listenerCount('message')).to.equal(0)
  })

  it('have the limits that a spec says', () => {
    expect(limitsOf({ sessionTimeout: '1500ms' }).sessionTimeout).to.equal(1500)
    expect(limitsOf({ sessionTimeout: '5m', maxSessions: 2 })).to.include({ sessionTimeout: 300_000, maxSessions: 2 })
    expect(limitsOf({}).sessionTimeout).to.equal(60_000)
  })
})
