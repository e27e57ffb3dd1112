import { expect } from 'chai'
import type { Side } from '@rystra/model'
import { listenConflicts, validateBase } from '../src/index.js'
import type { ExtensionListen } from '../src/listen-conflicts.js'

const admin = { extension: 'admin-http', host: '127.0.0.1', port: 7000, exclusive: true }
const http = { extension: 'proxy-http', host: '0.0.0.0', port: 7000 }
const listen = (host: string) => ({ server: { listen: [{ transport: 'tcp', host, port: 7000 }] } })
const proxies = [{ name: 'db', kind: 'tcp', port: '6990-7010', local: 1 }]

describe('addresses that extensions bind', () => {
  const owners = (listens: readonly ExtensionListen[], config: object, side: Side = 'server'): string[] =>
    listenConflicts(listens, validateBase(config), side).map(
      ({ path, expected }) => `${path}: ${/: (.*) has it$/.exec(expected)?.[1]}`
    )

  it('cannot be those of a listener, unless the first bytes tell them apart', () => {
    expect(owners([admin], listen('127.0.0.1'))).to.deep.equal(['extensions admin-http: server.listen (tcp)'])
    expect(owners([admin], listen('0.0.0.0'))).to.deep.equal(['extensions admin-http: server.listen (tcp)'])
    expect(owners([http], listen('0.0.0.0'))).to.deep.equal([])
    // One socket cannot listen on all addresses, and another on one of them.
    expect(owners([http], listen('127.0.0.1'))).to.deep.equal(['extensions proxy-http: server.listen (tcp)'])
    expect(owners([admin], listen('192.0.2.1'))).to.deep.equal([])
    const any = { ...admin, port: 0 }
    const anyListen = { server: { listen: [{ transport: 'tcp', host: '127.0.0.1', port: 0 }] } }
    expect(owners([any, { ...any, extension: 'observe-prometheus' }], anyListen)).to.deep.equal([])
    const quic = { server: { listen: [{ transport: 'quic', host: '127.0.0.1', port: 7000 }] } }
    expect(owners([admin], quic), 'datagrams have ports of their own').to.deep.equal([])
  })

  it('cannot be those of each other, or of the cluster', () => {
    expect(owners([admin, { ...admin, extension: 'observe-prometheus' }], {})).to.deep.equal([
      'extensions observe-prometheus: admin-http'
    ])
    expect(owners([http, admin], {})).to.deep.equal(['extensions admin-http: proxy-http'])
    expect(owners([http, { ...http, extension: 'proxy-https' }], {})).to.deep.equal([])
    const cluster = { name: 'a', directory: 'redis', host: '::', port: 7000, ca: 'a', cert: 'b', key: 'c' }
    expect(owners([http], { server: { listen: [{ transport: 'quic' }], cluster } })).to.deep.equal([
      'extensions proxy-http: server.cluster'
    ])
  })

  it('cannot be fixed ports of proxies and forwards on the same machine', () => {
    const server = { listen: [{ transport: 'tcp', port: 6000 }] }
    const here = { server, client: { connect: { host: 'localhost' }, proxies } }
    expect(owners([admin], here)).to.deep.equal(['extensions admin-http: client.proxies[0]'])
    expect(owners([admin], { server, client: { connect: { host: 'far.example' }, proxies } })).to.deep.equal([])
    const forwards = [{ name: 'db', kind: 'private', bind: '127.0.0.1:7000' }]
    const client = { connect: { host: 'far.example' }, forwards }
    expect(owners([admin], { client }, 'client')).to.deep.equal(['extensions admin-http: client.forwards[0]'])
    expect(owners([admin], { server, client })).to.deep.equal([])
  })
})
