import type { DirectoryRow } from '@rystra/plugin'
import { expect } from 'chai'
import { proxyKey, type ProxyRecord, proxyRecordOf, sharedSession, specHash } from '../src/index.js'
import { forwardMessage, forwardOf } from '../src/forward-head.js'
import type { OpenStream } from '@rystra/protocol'

const session = {
  id: 's',
  identity: { id: 'home' },
  client: { id: 'c', instance: 'i', agent: 'rystra/0' },
  peer: { address: '192.0.2.1', port: 1, tls: { version: 'TLSv1.3', cipher: 'x', certificate: new Uint8Array(1) } },
  transport: 'tls',
  muxer: 'yamux',
  since: 1
}
const record: ProxyRecord = {
  spec: { name: 'x', kind: 'tcp' },
  session: sharedSession(session),
  address: '192.0.2.2:80',
  healthy: true,
  ports: [80]
}
const row = (value: unknown, fields: Partial<DirectoryRow> = {}): DirectoryRow => ({
  key: proxyKey('s.x'),
  id: 's.x',
  member: 'a',
  instance: 'i',
  fence: 1,
  owner: 'home',
  value,
  ...fields
})

describe('records of other servers', () => {
  it('are read as they were written, without what JSON cannot say', () => {
    const written = JSON.parse(JSON.stringify(record)) as unknown
    expect(proxyRecordOf(row(written))).to.deep.equal(record)
    expect(record.session.peer).to.deep.equal({ address: '192.0.2.1', port: 1 })
    expect(proxyRecordOf(row({}, { key: 'claim http example.org' }))).to.equal(undefined)
  })

  it('that contradict themselves are refused', () => {
    const wrong: DirectoryRow[] = [
      row(undefined),
      row('text'),
      row({ ...record, spec: { name: 'x' } }),
      row({ ...record, session: { ...session, id: '' } }),
      row({ ...record, ports: [0] }),
      row({ ...record, ports: [70_000] }),
      row(record, { owner: 'office' }),
      row(record, { key: proxyKey('other.x') }),
      row({ ...record, healthy: 'yes' })
    ]
    for (const each of wrong) expect(() => proxyRecordOf(each), JSON.stringify(each)).to.throw(TypeError, /row proxy/)
  })

  it('tell specs apart, whatever the order of their fields', () => {
    const spec = { name: 'x', kind: 'http', host: ['a.example.org'], group: { name: 'g', policy: 'random' } }
    const turned = { group: { policy: 'random', name: 'g' }, host: ['a.example.org'], kind: 'http', name: 'x' }
    expect(specHash(spec)).to.equal(specHash(turned))
    expect(specHash(spec)).to.not.equal(specHash({ ...spec, host: ['b.example.org'] }))
  })
})

describe('the head of a forwarded stream', () => {
  const head = { id: '1', proxy: 'x', visitor: { host: '192.0.2.9', port: 5, to: { host: '192.0.2.2', port: 80 } } }
  const message = (): OpenStream =>
    forwardMessage({ ...head, details: { a: 1 } }, { session: 's', spec: 'h', timeout: 5000 }, 4) as OpenStream

  it('says visitor, session, deadline and details', () => {
    const forward = forwardOf(message())
    expect(forward).to.deep.equal({
      ...head,
      session: 's',
      spec: 'h',
      details: { a: 1 },
      flow: 4,
      carrier: false,
      timeout: 5000
    })
  })

  it('is refused with a second hop, and without the first', () => {
    for (const hop of [0, 2, undefined, '1']) {
      const { details, ...rest } = message()
      expect(() => forwardOf({ ...rest, details: { ...details, hop } }), String(hop))
        .to.throw()
        .with.property('code', 'cluster.loop')
    }
  })

  it('is refused when it is malformed', () => {
    for (const wrong of [{ session: 1 }, { spec: undefined }, { timeout: -1 }, { timeout: 'x' }, { details: 1 }]) {
      const { details, ...rest } = message()
      const bad = { ...rest, details: { ...details, ...wrong } }
      expect(() => forwardOf(bad), JSON.stringify(wrong))
        .to.throw()
        .with.property('code', 'protocol.malformed')
    }
  })
})
