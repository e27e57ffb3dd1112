import { expect } from 'chai'
import type { RuntimeEvent } from '@rystra/plugin'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { selfSigned } from '@rystra/certificates'
import { certificatesIn, expiringIn } from '../src/certificates.js'
import { notificationOf } from '../src/notification.js'
import { RefusalWindow } from '../src/refusals.js'
import { sessionInfo } from '@rystra/testkit'

const session = sessionInfo({
  identity: { id: 'home', rights: { secret: 'of-the-rights' } },
  transport: 'tls',
  muxer: 'yamux'
})
const at = { sequence: 1, time: 1000 }

describe('notifications', () => {
  it('say what is online, and why it went', () => {
    const online = notificationOf({ ...at, type: 'session.opened', session }, 'server')
    expect(online).to.deep.include({
      type: 'client.online',
      subject: 'client home/nas',
      time: '1970-01-01T00:00:01.000Z',
      side: 'server'
    })
    expect(online?.data).to.include({ client: 'nas', identity: 'home', peer: '203.0.113.9' })
    const error = { code: 'session.timeout', message: 'no heartbeat', retryable: true }
    expect(notificationOf({ ...at, type: 'session.closed', session, error }, 'server')?.data).to.include({
      code: 'session.timeout'
    })
  })

  it('have no secrets of a proxy, a session or a reload', () => {
    const spec = { name: 'web', kind: 'http', basicAuth: { password: 'hidden' }, secret: 'hidden' }
    const events = [
      { ...at, type: 'proxy.published', id: 'x', spec, address: 'http://web', session },
      { ...at, type: 'proxy.gone', id: 'x', spec, address: 'http://web', session, reason: 'expired' },
      { ...at, type: 'session.opened', session }
    ] as RuntimeEvent[]
    const text = JSON.stringify(events.map((event) => notificationOf(event, 'server')))
    expect(text).to.include('proxy home/nas/web').and.include('expired')
    expect(text).not.to.include('hidden').and.not.to.include('of-the-rights')
  })

  it('say which host has no certificate, and whose certificate ends', () => {
    const of = { ...at, host: 'app.example.org', source: 'acme' }
    const error = { code: 'acme.challenge', message: 'no answer', retryable: true }
    expect(notificationOf({ ...of, type: 'certificate.failed', error, retryAt: 60_000 }, 'server')).to.deep.include({
      type: 'certificate.failed',
      subject: 'certificate app.example.org',
      data: {
        host: 'app.example.org',
        code: 'acme.challenge',
        message: 'no answer',
        retryAt: '1970-01-01T00:01:00.000Z'
      }
    })
    expect(notificationOf({ ...of, type: 'certificate.expiring', expires: 0, days: 3 }, 'server')).to.deep.include({
      type: 'certificate.expiring',
      data: { host: 'app.example.org', expires: '1970-01-01T00:00:00.000Z', days: 3 }
    })
    const issued = { ...of, type: 'certificate.issued', expires: 0, renewed: false } as const
    expect(notificationOf(issued, 'server')).to.equal(undefined)
  })

  it('leave out what is not notified', () => {
    expect(notificationOf({ ...at, type: 'log.level', level: 'debug' }, 'server')).to.equal(undefined)
  })
})

describe('refusals', () => {
  it('are told once when there are too many, and again after there were few', () => {
    const window = new RefusalWindow({ count: 3, within: 60_000 })
    expect(window.add('auth.refused', 1, 0)).to.equal(undefined)
    expect(window.add('auth.refused', 1, 1000)).to.equal(undefined)
    expect(window.add('stream.limit', 1, 2000)).to.deep.equal({
      count: 3,
      within: 60_000,
      codes: { 'auth.refused': 2, 'stream.limit': 1 }
    })
    for (let i = 0; i < 1000; i++) expect(window.add('auth.refused', 1, 3000 + i)).to.equal(undefined)
    expect(window.add('auth.refused', 1, 200_000)).to.equal(undefined)
    expect(window.add('auth.refused', 5, 201_000)).to.include({ count: 6 })
  })

  it('far apart are no matter', () => {
    const window = new RefusalWindow({ count: 2, within: 1000 })
    for (let time = 0; time < 100_000; time += 1000) expect(window.add('auth.refused', 1, time)).to.equal(undefined)
  })
})

describe('certificates', () => {
  const dir = mkdtempSync(join(tmpdir(), 'rystra-notify-'))
  after(() => rmSync(dir, { recursive: true }))

  it('are found in the configuration, wherever they are named', () => {
    const config = {
      server: { listen: [{ cert: 'a.crt', key: 'a.key' }] },
      extensions: [{ options: { certificates: [{ cert: 'b.crt' }] } }]
    }
    expect(certificatesIn(config)).to.deep.equal(['a.crt', 'b.crt'])
  })

  it('that end soon are told, others and unreadable ones are not', async () => {
    const day = 86_400_000
    const { cert } = await selfSigned({ keyType: 'ec', commonName: 'localhost' })
    const ends = Date.parse(new X509Certificate(cert).validTo)
    writeFileSync(join(dir, 'a.crt'), cert)
    writeFileSync(join(dir, 'broken.crt'), 'no certificate')
    const files = ['a.crt', 'a.crt', 'broken.crt', 'absent.crt']
    expect(await expiringIn(files, dir, 14, ends - 20 * day)).to.deep.equal([])
    const [found, ...others] = await expiringIn(files, dir, 14, ends - 2.5 * day)
    expect(found).to.include({ file: 'a.crt', days: 2, expires: new Date(ends).toISOString() })
    expect(others).to.deep.equal([])
    expect(await expiringIn(files, dir, 14, ends + day)).to.have.length(1)
  })
})
