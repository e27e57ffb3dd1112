import type { Details, ProxyKind, ProxySpec, PublishHost, VisitorInfo } from '@rystra/plugin'
import { expect } from 'chai'
import type { Socket } from 'node:net'
import { proxyKindKit, type ProxyKindSubject } from '../src/index.js'
import { connectTo } from '../src/kit/proxy-ends.js'
import { simpleKind, simpleSpec } from './simple-proxy.js'

type Relay = (host: PublishHost, visitor: Socket, info: VisitorInfo, details?: Details) => void

const ways: Readonly<Record<string, Relay>> = {
  'relay()': (host, visitor, info, details) => host.relay(visitor, info, { details }),
  'openStream()': (host, visitor, info, details) => {
    host.openStream(info, { details }).then(
      ({ stream, info: { details: received } }) => {
        expect(received).to.deep.equal(details)
        const reset = (): void => void visitor.resetAndDestroy()
        stream.on('error', reset).pipe(visitor)
        visitor.on('error', () => stream.destroy()).pipe(stream)
      },
      () => visitor.resetAndDestroy()
    )
  }
}

/** A kind whose client half needs what its server half says of each visitor. */
const tellingKind = (relay: Relay, details?: Details): ProxyKind =>
  simpleKind({
    async publish(_, host) {
      const { host: name, port } = await host.listen({}, (visitor) => {
        const { remoteAddress = '', remotePort = 0, localAddress = '', localPort = 0 } = visitor.on('error', () => {})
        const info = { host: remoteAddress, port: remotePort, to: { host: localAddress, port: localPort } }
        relay(host, visitor, info, details)
      })
      return { address: `${name}:${port}` }
    },
    async reach(spec, host) {
      if (host.stream.details?.['word'] !== 'open') throw new Error('the server half said nothing')
      await host.relay(await host.connect(String(spec['local'])))
    }
  })

const bothWays = proxyKindKit.cases.find(({ name }) => name === 'brings visitors to the service and bytes both ways')

for (const [way, relay] of Object.entries(ways)) {
  const specs: ProxySpec[] = []
  const subject = (details?: Details): ProxyKindSubject => ({
    kind: () => tellingKind(relay, details),
    spec: simpleSpec,
    visit: (published, spec) => {
      specs.push(spec)
      return connectTo(published)
    }
  })

  proxyKindKit(subject({ word: 'open' }), { title: `a kind that says something of each visitor, by ${way}` })

  describe(`details of ${way}`, () => {
    it('reach the client half, and nothing is there when nothing was said', async () => {
      await bothWays?.run(subject({ word: 'open' }))
      const error = await bothWays?.run(subject(), 500).catch((thrown: Error) => thrown)
      expect(error).to.be.instanceOf(Error)
    })

    it('go with the entry of the service that the visitor asks for', async () => {
      specs.length = 0
      await bothWays?.run(subject({ word: 'open' }))
      expect(String(specs[0]?.['local'])).to.match(/^127\.0\.0\.1:\d+$/)
    })
  })
}
