import { RystraError } from '@rystra/plugin'
import { expect } from 'chai'
import { toLine } from '../src/line.js'
import * as records from '../src/records.js'
import { proxy, session, stream } from './fakes.js'

const channels = { openChannel: () => Promise.reject(new Error('not used')), reportCall: undefined }

const defaults = ['port', 'hosts', 'subdomain', 'path', 'group', 'bandwidth', 'maxConnections']

describe('records', () => {
  it('of a stream have its visitor, proxy and bytes', () => {
    const error = new RystraError('stream.reset', { detail: 'by the visitor' })
    const fields = records.streamClose({
      ...stream,
      bytesToService: 5,
      bytesToVisitor: 7,
      duration: 11,
      reason: 'reset',
      error
    })
    expect(fields).to.deep.equal({
      session: 's1',
      client: 'nas',
      identity: 'home',
      proxy: 'web',
      kind: 'tcp',
      stream: '1',
      visitor: '198.51.100.7',
      visitorPort: 55_000,
      bytesToService: 5,
      bytesToVisitor: 7,
      duration: 11,
      reason: 'reset',
      code: 'stream.reset',
      detail: 'by the visitor'
    })
  })

  it('of a session have its identity, address, method and duration', () => {
    expect(records.sessionOpen({ session, side: 'server', channels })).to.include({
      identity: 'home',
      client: 'nas',
      peer: '203.0.113.9',
      transport: 'tcp',
      muxer: 'yamux'
    })
    expect(records.sessionClose({ session, side: 'server' }, 1500)).to.include({ duration: 1500 })
  })

  it('of a refusal have what is known, and no more', () => {
    const error = new RystraError('auth.refused', { detail: 'wrong token' })
    const peer = { address: '203.0.113.66', port: 1 }
    expect(records.refusal({ what: 'session', side: 'server', error, subject: '203.0.113.66', peer })).to.deep.equal({
      what: 'session',
      subject: '203.0.113.66',
      peer: '203.0.113.66',
      peerPort: 1,
      code: 'auth.refused',
      detail: 'wrong token'
    })
    expect(records.refusal({ what: 'stream', side: 'server', error, subject: 'x', session, stream })).to.include({
      proxy: 'web',
      stream: '1',
      visitor: '198.51.100.7',
      session: 's1'
    })
  })

  it('of a registration have only the fields that were named, and no secret', () => {
    const spec = {
      ...proxy,
      secret: 's3cr3t',
      basicAuth: { user: 's3cr3t' },
      token: 's3cr3t',
      group: { name: 'pool', policy: 'random', password: 's3cr3t' },
      hosts: ['a.example.org', { secret: 's3cr3t' }],
      subdomain: 'https://me:s3cr3t@example.org',
      apiToken: 's3cr3t',
      local: 's3cr3t'
    }
    const fields = records.proxyPublish({ session, proxy: spec, address: '203.0.113.1:8080' }, [
      ...defaults,
      'token',
      'secret',
      'basicAuth'
    ])
    expect(fields['spec']).to.deep.equal({
      port: 8080,
      hosts: ['a.example.org', undefined],
      subdomain: 'https://[redacted]@example.org',
      group: 'pool'
    })
    expect(toLine(fields)).to.not.include('s3cr3t')
  })

  it('have secrets in reasons redacted', () => {
    for (const detail of [
      'cannot reach http://user:s3cr3t@example.org/x',
      'bad header Authorization: Bearer s3cr3t',
      'token=s3cr3t; x',
      'api_key: "s3cr3t and more"',
      'clientSecret = s3cr3t'
    ]) {
      const error = new RystraError('proxy.refused', { detail })
      expect(toLine(records.refusal({ what: 'proxy', side: 'server', error, subject: 'x' })), detail).to.not.include(
        's3cr3t'
      )
    }
  })

  it('leave the query of a request out', () => {
    const requested = {
      id: 'r1',
      proxy,
      session,
      visitor: stream.visitor,
      method: 'GET',
      host: 'app.example.org',
      secure: true,
      target: '/login?token=s3cr3t#s3cr3t',
      headers: [['authorization', 'Bearer s3cr3t'] as [string, string]]
    }
    const fields = records.request({
      request: requested,
      status: 200,
      bytesToService: 0,
      bytesToVisitor: 5,
      duration: 3
    })
    expect(fields).to.include({ path: '/login', status: 200, host: 'app.example.org' })
    expect(toLine(fields)).to.not.include('s3cr3t')
  })

  it('are one line each, whatever is in a name', () => {
    const name = 'a\r\n{"type":"forged"}\u001b[2J\u0000\u0085\u2028\u2029\u202e\ufeff\u009b\u200b'
    const line = toLine(
      records.streamClose({
        ...stream,
        proxy: { ...proxy, name },
        bytesToService: 0,
        bytesToVisitor: 0,
        duration: 0,
        reason: 'end'
      })
    )
    expect(line.slice(0, -1)).to.match(/^[\x20-\x7e]+$/)
    expect(line.endsWith('}\n')).to.equal(true)
    expect(JSON.parse(line)).to.have.property('proxy', name)
  })

  it('are short, however long the names are', () => {
    const long = 'x'.repeat(1_000_000)
    const line = toLine(
      records.proxyPublish(
        { session, proxy: { ...proxy, name: long, hosts: Array(10_000).fill(long), path: long }, address: long },
        defaults
      )
    )
    expect(line.length).to.be.lessThan(25_000)
  })
})
