import { RystraError } from '@rystra/plugin'
import { limitsOf, UdpServices } from '@rystra/udp'
import { parseUdpService } from '../src/service-address.js'
import { expect } from 'chai'
import { FakeClock } from '@rystra/testkit'
import { ask, bothWays, bound, cleanUp, echoService, ends, keptLog, portOf, tunnel, until } from './ends.js'

/** A port without a listener. */
const nowhere = async (): Promise<number> => {
  const socket = await bound()
  const port = portOf(socket)
  await new Promise<void>((resolve) => socket.close(resolve))
  return port
}

bothWays('services over UDP', () => {
  afterEach(cleanUp)

  it('that are not there are logged, and reached when they are there', async () => {
    const port = await nowhere()
    const { port: at, errors, opened, visitors } = await tunnel(port)
    const visitor = await bound()
    for (let count = 1; count <= 3; count += 1) {
      visitor.send('any peer there?', at, '127.0.0.1')
      await until(() => opened[0]?.services.drops.count('unreachable') === count)
    }
    expect(
      errors.map(({ code }) => code),
      'one line for all'
    ).to.deep.equal(['stream.service-unreachable'])
    expect(errors[0]?.message).to.include('ECONNREFUSED')
    const service = await bound('127.0.0.1', port)
    service.on('message', (datagram, from) => service.send(datagram, from.port, from.address))
    expect(String(await ask(visitor, at, 'now?'))).to.equal('now?')
    expect([visitors.sessions, opened.length]).to.deep.equal([1, 1])
  })

  it('that do not answer cost a session, and no more', async () => {
    const silent = await bound()
    const { port, clock, visitors, opened, errors } = await tunnel(portOf(silent))
    const visitor = await bound()
    visitor.send('hello?', port, '127.0.0.1')
    await until(() => opened[0]?.services.sessions === 1)
    clock.advance(60_020)
    expect(visitors.sessions).to.equal(0)
    await until(() => opened[0]?.services.sessions === 0)
    expect(errors).to.deep.equal([])
  })

  it('are forgotten by themselves when the visitor side does not say so', async () => {
    const service = await echoService()
    const [near, far] = ends()
    const clock = new FakeClock()
    const { log } = keptLog()
    const services = new UdpServices({ ...far, local: String(service.port), limits: limitsOf({}), clock, log })
    near.stream.write(Buffer.from([0, 0, 0, 1, 0, 1, 65, 0, 0, 0, 2, 0, 1, 66]))
    await until(() => services.sessions === 2)
    clock.advance(75_020)
    expect([services.sessions, clock.pending]).to.deep.equal([0, 0])
    near.stream.end()
    near.stream.resume()
    expect(await services.done).to.equal(undefined)
  })

  it('have no more sockets than sessions are allowed, whichever end opens them', async () => {
    const service = await echoService()
    const [near, far] = ends()
    const { log } = keptLog()
    const limits = limitsOf({ maxSessions: 4 })
    const services = new UdpServices({ ...far, local: String(service.port), limits, clock: new FakeClock(), log })
    for (let session = 0; session < 100; session += 1) near.stream.write(Buffer.from([0, 0, 0, session, 0, 1, session]))
    let most = 0
    await until(() => {
      most = Math.max(most, services.sessions)
      return service.came.length === 100
    })
    expect(most).to.equal(4)
  })

  it('reset a stream of garbage, with a code, and close their sockets', async () => {
    const service = await echoService()
    const [near, far] = ends()
    const { log } = keptLog()
    const services = new UdpServices({
      ...far,
      local: String(service.port),
      limits: limitsOf({}),
      clock: new FakeClock(),
      log
    })
    near.stream.write(Buffer.from([0, 0, 0, 1, 0, 1, 65]))
    await until(() => services.sessions === 1)
    near.stream.write(Buffer.from([0, 0, 0, 1, 255, 250]))
    expect((await services.done)?.code).to.equal('protocol.malformed')
    expect(services.sessions).to.equal(0)
  })

  it('of a name are looked up once, and again when the address fails, whose next is tried', async () => {
    const service = await echoService()
    const requested: string[] = []
    const lookup = async (host: string) => {
      requested.push(host)
      return [
        { address: '::1', family: 6 as const },
        { address: '127.0.0.1', family: 4 as const }
      ]
    }
    const { port, opened } = await tunnel(`printer:${service.port}`, { services: { lookup } })
    const visitor = await bound()
    visitor.send('to the closed port', port, '127.0.0.1')
    await until(() => opened[0]?.services.drops.count('unreachable') === 1)
    expect(String(await ask(visitor, port, 'to the other'))).to.equal('to the other')
    expect(String(await ask(visitor, port, 'again'))).to.equal('again')
    expect(requested).to.deep.equal(['printer'])
  })

  it('that moved are found', async () => {
    const [old, service] = [await echoService('127.0.0.2'), await echoService('127.0.0.3')]
    let at = '127.0.0.2'
    const lookup = async () => [{ address: at, family: 4 as const }]
    // One name has one port: the service that is left has to be at the same.
    await new Promise<void>((resolve) => service.socket.close(resolve))
    const moved = await bound('127.0.0.3', old.port)
    moved.on('message', (datagram, from) => moved.send(`moved ${datagram}`, from.port, from.address))
    const { port, opened, clock } = await tunnel(`printer:${old.port}`, { services: { lookup } })
    const visitor = await bound()
    await ask(visitor, port, 'hello')
    await new Promise<void>((resolve) => old.socket.close(resolve))
    at = '127.0.0.3'
    clock.advance(2000)
    visitor.send('lost', port, '127.0.0.1')
    await until(() => opened[0]?.services.drops.count('unreachable') === 1)
    expect(String(await ask(visitor, port, 'found'))).to.equal('moved found')
  })

  it('whose name has no address are unreachable, until it has one', async () => {
    const service = await echoService()
    let known = false
    const lookup = async () => {
      if (!known) throw Object.assign(new Error('getaddrinfo ENOTFOUND'), { code: 'ENOTFOUND' })
      return [{ address: '127.0.0.1', family: 4 as const }]
    }
    const { port, opened, errors, clock } = await tunnel(`printer:${service.port}`, { services: { lookup } })
    const visitor = await bound()
    visitor.send('x', port, '127.0.0.1')
    await until(() => opened[0]?.services.drops.count('unreachable') === 1)
    expect(errors[0]?.message).to.include('ENOTFOUND')
    known = true
    clock.advance(1000)
    expect(String(await ask(visitor, port, 'found'))).to.equal('found')
  })

  it('are named in all the usual ways, and in no others', () => {
    expect(parseUdpService('53')).to.deep.equal({ host: '127.0.0.1', port: 53 })
    expect(parseUdpService('printer:161')).to.deep.equal({ host: 'printer', port: 161 })
    expect(parseUdpService('[fe80::1%eth0]:53')).to.deep.equal({ host: 'fe80::1%eth0', port: 53 })
    for (const local of ['', ':53', '53:', 'unix:/run/x', '::1:53', 'a:0', 'a:65536', 'handler:x']) {
      expect(() => parseUdpService(local), local)
        .to.throw(RystraError)
        .with.property('code', 'proxy.invalid')
    }
  })
})
