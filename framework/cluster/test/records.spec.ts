import type { DirectoryRow } from '@rystra/plugin'
import { expect } from 'chai'
import {
  clientKey,
  proxyKey,
  type ProxyRecord,
  proxyRecordOf,
  sessionOf,
  sharedSession,
  specHash
} from '../src/index.js'

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

  it('of sessions are read alike, and refused when they are of another client', () => {
    const value = sharedSession(session)
    const fields = { key: clientKey(session), id: 's' }
    expect(sessionOf(row(value, fields))).to.deep.equal(value)
    expect(sessionOf(row(undefined, fields)), 'without a value').to.equal(undefined)
    expect(sessionOf(row(record)), 'a proxy').to.equal(undefined)
    const other = clientKey({ ...session, client: { ...session.client, id: 'other' } })
    const wrong = [
      row(value, { ...fields, owner: 'office' }),
      row(value, { ...fields, id: 'another' }),
      row(value, { ...fields, key: other }),
      row('text', fields)
    ]
    for (const each of wrong) expect(() => sessionOf(each), JSON.stringify(each)).to.throw(TypeError, /row client/)
  })

  it('tell specs apart, whatever the order of their fields', () => {
    const spec = { name: 'x', kind: 'http', host: ['a.example.org'], group: { name: 'g', policy: 'random' } }
    const turned = { group: { policy: 'random', name: 'g' }, host: ['a.example.org'], kind: 'http', name: 'x' }
    expect(specHash(spec)).to.equal(specHash(turned))
    expect(specHash(spec)).to.not.equal(specHash({ ...spec, host: ['b.example.org'] }))
  })
})
