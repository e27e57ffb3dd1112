import type { ProxyEntry } from '@rystra/config'
import proxyUdp from '@rystra/proxy-udp'
import { until } from '@rystra/testkit'
import { expect } from 'chai'
import dgram from 'node:dgram'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { visitors } from './change-world.js'
import {
  ask,
  cleanUp,
  clientConfig,
  echo,
  later,
  portOf,
  startClient,
  startServer,
  startService,
  visit,
  visitorPort
} from './tunnel.js'

describe('a client whose session gives way to another one with the same server', () => {
  afterEach(cleanUp)

  const bound = async (): Promise<dgram.Socket> => {
    const socket = dgram.createSocket('udp4').bind(0, '127.0.0.1')
    await once(socket, 'listening')
    later(() => socket.close())
    return socket
  }

  for (const [what, next] of [
    ['another muxer', { muxer: 'direct' }],
    ['another id', { id: 'renamed' }]
  ] as const) {
    it(`${what}: no visitor is refused, ports stay, and open streams go on`, async () => {
      const extensions = [proxyUdp()]
      const server = await startServer({}, extensions)
      const service = await bound()
      service.on('message', (datagram, { address, port }) => service.send(datagram, port, address))
      const proxies = [
        { name: 'x', kind: 'tcp', local: await startService(echo) },
        { name: 'u', kind: 'udp', local: (service.address() as AddressInfo).port }
      ] as ProxyEntry[]
      const client = await startClient(portOf(server), proxies, {}, extensions)
      const ports = ['x', 'u'].map((name) => visitorPort(client, name))
      const [port = 0, udpPort = 0] = ports
      const open = await visit(port)
      open.write('before')
      await once(open, 'data')
      const sender = await bound()
      const datagram = async (text: string): Promise<string> => {
        const answer = once(sender, 'message')
        sender.send(text, udpPort, '127.0.0.1')
        return String((await answer)[0])
      }
      expect(await datagram('one')).to.equal('one')
      const [first] = server.sessions
      const stop = visitors(() => ask(port, 'hello'))
      const fields =
        'muxer' in next ? { connect: { transport: 'tcp', host: '127.0.0.1', port: portOf(server), ...next } } : next
      await client.reload(clientConfig(portOf(server), proxies, fields, extensions))
      await until(() => server.proxies.every(({ session }) => session.id !== first?.id) && server.proxies.length === 2)
      expect([...(await stop()).keys()]).to.deep.equal(['hello'])
      expect(await ask(port, 'hello')).to.equal('hello')
      open.write('still here')
      expect(String((await once(open, 'data'))[0])).to.equal('still here')
      expect(await datagram('two')).to.equal('two')
      expect(['x', 'u'].map((name) => visitorPort(client, name))).to.deep.equal(ports)
      open.end()
      await until(() => server.sessions.length === 1, 'the session before is over with its last stream')
      expect(await datagram('three')).to.equal('three')
    })
  }
})
