import { expect } from 'chai'
import { once } from 'node:events'
import { cleanUp, echo, portOf, startClient, startServer, startService, visitorPort } from './tunnel.js'

describe('ports that the server chose', () => {
  afterEach(cleanUp)

  it('stay the same over a restart of the server, which the client tells', async () => {
    // From a wide range, so that the same ones are no chance.
    const publish = { host: '127.0.0.1', ports: ['20000-65535'] }
    const first = await startServer({ publish })
    const listen = [{ transport: 'tcp', host: '127.0.0.1', port: portOf(first) }]
    const local = await startService(echo)
    const names = ['a', 'b', 'c']
    const client = await startClient(
      portOf(first),
      names.map((name) => ({ name, kind: 'tcp', local }))
    )
    const before = names.map((name) => visitorPort(client, name))
    const lost = once(client, 'disconnected')
    await first.stop({ drain: 0 })
    await lost
    let published = 0
    const again = new Promise<void>((resolve) => {
      client.on('published', () => {
        published += 1
        if (published === names.length) resolve()
      })
    })
    await startServer({ publish, listen })
    await again
    expect(names.map((name) => visitorPort(client, name))).to.deep.equal(before)
  })

  it('are never ports that another proxy of the same client names, whatever the order', async () => {
    const server = await startServer()
    const local = await startService(echo)
    const [probe] = [await startClient(portOf(server), [{ name: 'x', kind: 'tcp', local }], { id: 'probe' })]
    const port = visitorPort(probe, 'x')
    await probe.stop({ drain: 0 })
    const narrow = await startServer({ publish: { host: '127.0.0.1', ports: [port, port + 1, port + 2] } })
    const client = await startClient(portOf(narrow), [
      { name: 'free', kind: 'tcp', local },
      { name: 'fixed', kind: 'tcp', local, port }
    ])
    expect(visitorPort(client, 'fixed')).to.equal(port)
    expect(visitorPort(client, 'free')).not.to.equal(port)
  })
})
