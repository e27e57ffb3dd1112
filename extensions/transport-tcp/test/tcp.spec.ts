import { failure, until } from '@rystra/testkit'
import { SharedPorts } from '@rystra/net'
import type { Link, Listener, RystraError, Transport } from '@rystra/plugin'
import { expect } from 'chai'
import { once } from 'node:events'
import net from 'node:net'
import transportTcp from '../src/index.js'

const transport = ((): Transport => {
  const added: Transport[] = []
  const registries = { transports: { add: (it: Transport) => added.push(it) } }
  transportTcp.definition.setup({ registries, options: { keepAlive: 15_000, backlog: 511 } } as never)
  return added[0] as Transport
})()

const never = new AbortController().signal
const links: Link[] = []
const listeners: Listener[] = []

const taken = (link: Link): net.Socket => {
  links.push(link)
  if (link.kind !== 'bytes') throw new Error('not a link of bytes')
  link.duplex.on('error', () => {})
  return link.duplex as net.Socket
}

const listen = async (
  port = 0,
  host = '127.0.0.1',
  signal = never,
  ports = new SharedPorts()
): Promise<Listener & { links: Link[] }> => {
  const came: Link[] = []
  const onLink = (link: Link): void => {
    taken(link)
    came.push(link)
  }
  const listener = await transport.listen({ transport: 'tcp', host, port }, onLink, signal, ports)
  listeners.push(listener)
  return { address: listener.address, close: () => listener.close(), links: came }
}

const dial = (port: number, host = '127.0.0.1', signal = never): Promise<Link> =>
  transport.dial({ transport: 'tcp', host, port }, signal)

describe('links over TCP', () => {
  afterEach(async () => {
    for (const link of links.splice(0)) if (link.kind === 'bytes') link.duplex.destroy()
    await Promise.all(listeners.splice(0).map((listener) => listener.close()))
  })

  for (const host of ['127.0.0.1', '::1', 'localhost']) {
    it(`listen on and dial ${host}`, async function () {
      const listener = await listen(0, host).catch((error: RystraError) => {
        if (host !== '::1' || error.code !== 'listen.unavailable') throw error
        return this.skip()
      })
      expect(listener.address.port).to.be.above(0)
      const socket = taken(await dial(listener.address.port, host))
      socket.write('x')
      await until(() => listener.links.length > 0)
      const [link] = listener.links as [Link]
      expect(link.peer).to.deep.equal({ address: socket.localAddress, port: socket.localPort })
      expect(links.at(-1)?.peer.port ?? 0).to.be.above(0)
      expect([socket.allowHalfOpen, taken(link).allowHalfOpen]).to.deep.equal([true, true])
      expect(socket.constructor, 'a bare socket').to.equal(net.Socket)
    })
  }

  it('say why an address cannot be listened on', async () => {
    const { address } = await listen()
    const taken = await failure(listen(address.port))
    expect([taken.code, taken.detail]).to.deep.equal(['listen.in-use', `tcp 127.0.0.1:${address.port}`])
    expect((await failure(listen(0, '192.0.2.1'))).code).to.equal('listen.unavailable')
    expect((await failure(listen(0, 'no-such-host.invalid'))).code).to.equal('listen.unavailable')
  })

  it('say why nothing can be reached', async () => {
    const { address, close } = await listen()
    await close()
    const refused = await failure(dial(address.port))
    expect(refused.code).to.equal('connect.unreachable')
    expect(refused.detail).to.equal(`tcp 127.0.0.1:${address.port}, connection refused`)
    expect(refused.retryable).to.equal(true)
    const unknown = await failure(dial(1, 'no-such-host.invalid'))
    expect(unknown.code).to.equal('connect.unreachable')
    expect(unknown.detail).to.match(/host not found|resolved/)
  })

  it('are given up by a signal, before and while they are dialed', async () => {
    const before = await failure(dial(1, '127.0.0.1', AbortSignal.abort(new Error('enough'))))
    expect([before.code, before.detail?.includes('enough')]).to.deep.equal(['connect.unreachable', true])
    const { address } = await listen()
    const controller = new AbortController()
    const dialing = failure(dial(address.port, '127.0.0.1', controller.signal))
    controller.abort()
    expect((await dialing).code).to.equal('connect.unreachable')
  })

  it('take no harm from a signal that comes after they are up', async () => {
    const { address } = await listen()
    const controller = new AbortController()
    const socket = taken(await dial(address.port, '127.0.0.1', controller.signal))
    controller.abort()
    await new Promise(setImmediate)
    expect(socket.destroyed).to.equal(false)
  })

  it('are not listened for by a signal that was aborted, whenever', async () => {
    expect((await failure(listen(0, '127.0.0.1', AbortSignal.abort()))).code).to.equal('listen.failed')
    for (const host of ['127.0.0.1', 'localhost']) {
      const { address, close } = await listen()
      await close()
      const controller = new AbortController()
      const listening = failure(listen(address.port, host, controller.signal))
      controller.abort()
      expect((await listening).code).to.equal('listen.failed')
      const again = await listen(address.port, host)
      await again.close()
    }
  })

  it('stop being accepted when the signal of their listener is aborted', async () => {
    const controller = new AbortController()
    const { address } = await listen(0, '127.0.0.1', controller.signal)
    controller.abort()
    await new Promise(setImmediate)
    expect((await failure(dial(address.port))).code).to.equal('connect.unreachable')
  })

  it('go on when their listener closes, whose address is free at once', async () => {
    const listener = await listen()
    const socket = taken(await dial(listener.address.port))
    await until(() => listener.links.length > 0)
    await listener.close()
    await listener.close()
    const again = await listen(listener.address.port)
    expect(again.address.port).to.equal(listener.address.port)
    const far = taken(listener.links[0] as Link)
    far.write('still here')
    const [came] = (await once(socket, 'data')) as [Buffer]
    expect(String(came)).to.equal('still here')
  })

  it('leave nothing on a signal that many were dialed with', async () => {
    const { address } = await listen()
    const controller = new AbortController()
    const warnings: unknown[] = []
    const warned = (warning: unknown): void => void warnings.push(warning)
    process.on('warning', warned)
    for (let count = 0; count < 30; count += 1) taken(await dial(address.port, '127.0.0.1', controller.signal))
    await new Promise(setImmediate)
    process.removeListener('warning', warned)
    expect(warnings).to.deep.equal([])
  })
})
