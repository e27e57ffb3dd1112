import type { RystraError } from '@rystra/model'
import { expect } from 'chai'
import { once } from 'node:events'
import net, { type AddressInfo } from 'node:net'
import { connectService, parseService } from '../src/service.js'

describe('the address of a service', () => {
  it('is a host and a port, a port of this machine, or a socket', () => {
    expect(parseService('db.local:5432')).to.deep.equal({ host: 'db.local', port: 5432 })
    expect(parseService('[::1]:22')).to.deep.equal({ host: '::1', port: 22 })
    expect(parseService('3000')).to.deep.equal({ host: 'localhost', port: 3000 })
    expect(parseService('unix:/run/app.sock')).to.deep.equal({ path: '/run/app.sock' })
  })

  for (const text of ['', ':22', 'host', 'host:0', 'host:65536', '::1:22', 'unix:', 'a b:c', '1.2.3.4:22x']) {
    it(`is not ${JSON.stringify(text)}`, () => {
      expect(() => parseService(text))
        .to.throw()
        .with.property('code', 'proxy.invalid' satisfies RystraError['code'])
    })
  }
})

describe('a port alone', () => {
  for (const host of ['127.0.0.1', '::1']) {
    it(`is reached where the service listens on ${host} only`, async () => {
      const server = net.createServer((socket) => socket.end('hi')).listen({ host, port: 0, ipv6Only: true })
      await once(server, 'listening')
      try {
        const { port } = server.address() as AddressInfo
        const socket = await connectService(String(port), 'web', { gone: false, onGone: undefined })
        expect(String(await once(socket, 'data'))).to.equal('hi')
        socket.destroy()
      } finally {
        server.close()
      }
    })
  }
})
