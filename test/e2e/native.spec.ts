import { once } from 'node:events'
import { expect } from 'chai'
import { memoryTransport, MemoryStreamsNetwork } from '@rystra/testkit'
import {
  cleanUp,
  echo,
  later,
  portOf,
  startClient,
  startServer,
  startService,
  until,
  visit,
  visitorPort
} from './tunnel.js'

const at = { transport: 'memory-streams', host: '127.0.0.1' }
const listen = { listen: [{ ...at, port: 0 }] }
const to = (port: number) => ({ connect: { ...at, port } })

describe('a transport that multiplexes by itself', () => {
  let network: MemoryStreamsNetwork
  let transport: ReturnType<ReturnType<typeof memoryTransport>>

  beforeEach(() => {
    network = new MemoryStreamsNetwork()
    transport = memoryTransport(network)()
  })

  afterEach(cleanUp)

  it('carries a session and its streams without a muxer', async () => {
    const server = await startServer(listen, [transport])
    const proxies = [{ name: 'svc', kind: 'tcp', local: `127.0.0.1:${await startService(echo)}` }]
    const client = await startClient(portOf(server), proxies, to(portOf(server)), [transport])
    expect(client.session).to.include({ transport: 'memory-streams', muxer: 'native' })
    const visitor = await visit(visitorPort(client, 'svc'))
    visitor.write('there and back')
    const [bytes] = await once(visitor, 'data')
    expect(String(bytes)).to.equal('there and back')
  })

  it('comes back after its links are lost', async () => {
    const server = await startServer(listen, [transport])
    const proxies = [{ name: 'svc', kind: 'tcp', local: `127.0.0.1:${await startService(echo)}` }]
    const client = await startClient(portOf(server), proxies, to(portOf(server)), [transport])
    const first = client.session?.id
    const lost = await visit(visitorPort(client, 'svc'))
    const end = new Promise((resolve) => lost.once('close', resolve))
    network.cut()
    await end
    await until(() => client.session !== undefined && client.session.id !== first && client.proxies.length === 1)
    const visitor = await visit(visitorPort(client, 'svc'))
    visitor.write('still there')
    const [bytes] = await once(visitor, 'data')
    expect(String(bytes)).to.equal('still there')
  })

  it('keeps no link of a refused peer that stays', async () => {
    const server = await startServer(listen, [transport])
    const link = await network.dial({ ...at, port: portOf(server) }, new AbortController().signal)
    later(() => link.destroy())
    let closes = 0
    link.onClose = () => void closes++
    const refused = once(server, 'refused')
    const stream = await link.open()
    stream.on('error', () => {})
    stream.write('unauthenticated')
    await refused
    await until(() => closes === 1)
  })
})
