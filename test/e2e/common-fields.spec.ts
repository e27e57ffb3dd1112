import { expect } from 'chai'
import { once } from 'node:events'
import type { ProxyEntry } from '@rystra/config'
import { defineExtension } from '@rystra/plugin'
import { rogueClient } from './rogue.js'
import {
  ask,
  cleanUp,
  echo,
  failure,
  endOfVisit,
  later,
  portOf,
  readAll,
  startClient,
  startServer,
  startService,
  until,
  visit,
  visitorPort
} from './tunnel.js'
import { named } from './group-world.js'

describe('common fields of a proxy', () => {
  afterEach(cleanUp)

  it('given by code are understood and refused as in a configuration', async () => {
    const server = await startServer()
    const client = await startClient(portOf(server), [])
    const base = { name: 'x', kind: 'tcp', local: 1 }
    for (const wrong of [
      { bandwidth: 0 },
      { bandwidth: '0MB' },
      { bandwidth: 'fast' },
      { maxConnections: 0 },
      { expiresIn: '5' },
      { expiresIn: '20y' },
      { idleTimeout: -1 },
      { healthCheck: { type: 'ping' } },
      { healthCheck: { timeout: 0 } },
      { proxyProtocol: 'v3' },
      { badnwidth: '1MB' },
      { local: 'nowhere' }
    ]) {
      const error = await failure(client.publish({ ...base, ...wrong }))
      expect(error, JSON.stringify(wrong)).to.include({ code: 'proxy.invalid', side: 'client' })
      expect(error.message).to.include(Object.keys(wrong)[0])
    }
    const [published] = await client.publish({ ...base, bandwidth: '10MB', expiresIn: '90d', idleTimeout: '30s' })
    expect(published?.spec).to.include({ bandwidth: 10_000_000, expiresIn: 90 * 86_400_000, idleTimeout: 30_000 })
  })

  it('are refused alike when a client sends them without a check of its own', async () => {
    const server = await startServer()
    const client = await startClient(portOf(server), [])
    const rogue = await rogueClient(server)
    for (const [request, wrong] of [
      { bandwidth: 0 },
      { bandwidth: 1e300 },
      { maxConnections: 0 },
      { maxConnections: 1.5 },
      { expiresIn: 0.5 },
      { expiresIn: 1e300 },
      { idleTimeout: 999 },
      { idleTimeout: 2 ** 31 },
      { group: '' },
      { group: { name: 'g', policy: 'fastest' } },
      { group: { name: 'g\u0000' } },
      { group: { name: 'g', size: 1 } },
      { healthCheck: { type: 'ping' } },
      { port: 65_536 },
      { badnwidth: 1 }
    ].entries()) {
      const field = Object.keys(wrong)[0] as string
      const here = await failure(client.publish({ name: 'x', kind: 'tcp', local: 1, ...wrong }))
      rogue.say({ type: 'RegisterProxy', request, spec: { name: 'x', kind: 'tcp', ...wrong } as never })
      const { error } = await rogue.next('RegisterProxyAck')
      expect([here.code, error?.code], JSON.stringify(wrong)).to.deep.equal(['proxy.invalid', 'proxy.invalid'])
      expect(
        [here.message, error?.detail].every((text) => text?.includes(field)),
        JSON.stringify(wrong)
      ).to.equal(true)
    }
    expect(server.proxies).to.deep.equal([])
  })

  it('maxConnections refuses one too many, and lets the next in when one leaves', async () => {
    const server = await startServer()
    const service = await startService(echo)
    const client = await startClient(portOf(server), [{ name: 'x', kind: 'tcp', local: service, maxConnections: 2 }])
    const port = visitorPort(client, 'x')
    const [first] = [await visit(port), await visit(port)]
    await until(() => server.streams === 2)
    expect(await endOfVisit(port)).to.equal('ECONNRESET')
    first?.resetAndDestroy()
    await until(() => server.streams === 1)
    const next = await visit(port)
    next.end('in')
    expect((await readAll(next)).toString()).to.equal('in')
  })

  it('bandwidth holds each direction down, and is shared by the streams', async () => {
    const server = await startServer()
    const service = await startService((socket) => {
      socket.on('end', () => socket.end(Buffer.alloc(400_000)))
      socket.resume()
    })
    const client = await startClient(portOf(server), [{ name: 'x', kind: 'tcp', local: service, bandwidth: '500kB' }])
    const port = visitorPort(client, 'x')
    const since = performance.now()
    const answers = await Promise.all(
      Array.from({ length: 2 }, async () => {
        const visitor = await visit(port)
        visitor.end()
        return (await readAll(visitor)).length
      })
    )
    expect(answers).to.deep.equal([400_000, 400_000])
    // 800 kB, of which an eighth of a second's worth and one chunk each come at once.
    expect(performance.now() - since).to.be.greaterThan(800)
  })

  it('idleTimeout resets a stream on which nothing goes, and none on which something does', async () => {
    const server = await startServer()
    const service = await startService(echo)
    const client = await startClient(portOf(server), [{ name: 'x', kind: 'tcp', local: service, idleTimeout: '1s' }])
    const port = visitorPort(client, 'x')
    const busy = await visit(port)
    const beat = setInterval(() => busy.write('.'), 100)
    later(() => clearInterval(beat))
    let lost = false
    busy.on('close', () => (lost = true))
    busy.resume()
    const refused = once(server, 'streamClose')
    expect(await endOfVisit(port)).to.equal('ECONNRESET')
    expect((await refused)[0].error).to.include({ code: 'stream.idle' })
    expect(lost).to.equal(false)
  })

  it('bandwidth holds many short streams down as it does a long one', async () => {
    const server = await startServer()
    const size = 50_000
    const service = await startService((socket) => void socket.end(Buffer.alloc(size)))
    const client = await startClient(portOf(server), [{ name: 'x', kind: 'tcp', local: service, bandwidth: '200kB' }])
    const since = Date.now()
    const take = async (): Promise<void> => {
      const visitor = await visit(visitorPort(client, 'x'))
      let got = 0
      // Gone as soon as it has what it came for.
      visitor.on('data', (bytes) => {
        got += bytes.length
        if (got === size) visitor.resetAndDestroy()
      })
      await once(visitor, 'close')
      expect(got).to.equal(size)
    }
    for (let round = 0; round < 5; round += 1) await Promise.all([take(), take()])
    // 64 KiB at once; the rest in its time, or later.
    const least = ((10 * size - 65_536) / 200_000) * 1000
    expect(Date.now() - since).to.be.at.least(least - 100)
  })

  it('idleTimeout leaves alone what the bandwidth holds back', async () => {
    const server = await startServer()
    const service = await startService((socket) => {
      socket.on('end', () => socket.end(Buffer.alloc(200_000)))
      socket.resume()
    })
    const fields = { idleTimeout: '1s', bandwidth: '50kB' }
    const client = await startClient(portOf(server), [{ name: 'x', kind: 'tcp', local: service, ...fields }])
    const visitor = await visit(visitorPort(client, 'x'))
    visitor.end()
    expect((await readAll(visitor)).length).to.equal(200_000)
  })

  it('idleTimeout keeps the lower limit of a configuration, when a hook sets it too', async () => {
    const short = defineExtension({
      name: 'short',
      setup: ({ hooks }) => hooks.onRegisterProxy.tap((spec) => ({ ...spec, idleTimeout: 999 }))
    })()
    const server = await startServer({}, [short])
    const client = await startClient(portOf(server), [])
    const error = await failure(client.publish({ name: 'x', kind: 'tcp', local: 1 }))
    expect(error).to.include({ code: 'proxy.invalid', side: 'server' })
    expect(error.message).to.include('idleTimeout')
  })

  it('idleTimeout is kept where an extension brings a relay of its own', async () => {
    let joined = 0
    const relay = defineExtension({
      name: 'relay',
      setup: ({ registries }) =>
        registries.relays.add({
          name: 'deaf',
          accepts: () => true,
          join: (visitor, service, done) => {
            joined += 1
            return {
              aToB: 0,
              bToA: 0,
              paused: false,
              reset: (error) => {
                visitor.reset()
                service.reset()
                done(0, 0, error)
              }
            }
          }
        })
    })()
    const server = await startServer({}, [relay])
    const local = await startService(echo)
    const client = await startClient(portOf(server), [{ name: 'x', kind: 'tcp', local, idleTimeout: '1s' }])
    expect(await endOfVisit(visitorPort(client, 'x'))).to.equal('ECONNRESET')
    expect(joined).to.equal(1)
  })

  it('the PROXY header is ours, whatever header a visitor sends', async () => {
    const server = await startServer()
    let got = ''
    const service = await startService((socket) => {
      socket.on('data', (bytes) => (got += bytes.toString()))
      socket.on('end', () => socket.end())
    })
    const client = await startClient(portOf(server), [{ name: 'x', kind: 'tcp', local: service, proxyProtocol: 'v1' }])
    const visitor = await visit(visitorPort(client, 'x'))
    const spoofed = 'PROXY TCP4 6.6.6.6 7.7.7.7 1 2\r\n'
    const { localPort, remotePort } = visitor
    visitor.end(spoofed)
    await readAll(visitor)
    expect(got).to.equal(`PROXY TCP4 127.0.0.1 127.0.0.1 ${localPort} ${remotePort}\r\n${spoofed}`)
  })

  it('are changed on a live session: others are not touched, open streams go on, the port stays', async () => {
    const server = await startServer()
    const first = await startService(echo)
    const client = await startClient(portOf(server), [
      { name: 'x', kind: 'tcp', local: first },
      { name: 'other', kind: 'tcp', local: first }
    ])
    const port = visitorPort(client, 'x')
    const open = await visit(port)
    open.write('a')
    await once(open, 'data')
    const unpublished: string[] = []
    client.on('unpublished', ({ name }) => unpublished.push(name))
    const [changed] = await client.update({ name: 'x', kind: 'tcp', local: await named('second') })
    expect(changed?.address).to.include(`:${port}`)
    expect(await ask(port)).to.equal('second')
    open.end('still open')
    expect((await readAll(open)).toString()).to.equal('still open')
    expect(unpublished).to.deep.equal([])

    // The same again changes nothing; what is refused leaves what was there.
    await client.update({ ...(changed?.spec as ProxyEntry) })
    expect(unpublished).to.deep.equal([])
    expect(await failure(client.update({ name: 'x', kind: 'tcp', local: 1, port: 80 }))).to.include({
      code: 'proxy.port-not-allowed'
    })
    expect(await ask(port)).to.equal('second')
    expect(await failure(client.update({ name: 'x', kind: 'tcp', local: 'nowhere' }))).to.include({
      code: 'proxy.invalid'
    })
    expect(await ask(port)).to.equal('second')
  })

  it('of a range are taken back with its entry', async () => {
    const server = await startServer()
    const client = await startClient(portOf(server), [{ name: 'r', kind: 'tcp', local: '127.0.0.1:4000-4002' }])
    expect(client.proxies).to.have.length(3)
    await client.update({ name: 'r', kind: 'tcp', local: '127.0.0.1:4000-4001' })
    expect(client.proxies.map(({ name }) => name)).to.have.members(['r:4000', 'r:4001'])
    client.unpublish('r')
    await until(() => server.proxies.length === 0)
  })
})
