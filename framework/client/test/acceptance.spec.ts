import { validateBase } from '@rystra/config'
import type { ProxyKind, Registry } from '@rystra/plugin'
import { Type } from '@rystra/plugin'
import { expect } from 'chai'
import type { RystraError } from '@rystra/model'
import { acceptanceOf } from '../src/acceptance.js'

type Accept = object

const acceptance = (accept: Accept) => {
  const { client } = validateBase({ client: { connect: { host: 'h' }, accept } })
  if (client === undefined) throw new Error('no client')
  return acceptanceOf(client)
}

const codeOf = (doing: () => unknown): string | undefined => {
  try {
    doing()
  } catch (error) {
    return (error as RystraError).code
  }
  return undefined
}

const kind = (localFields: string[]): ProxyKind =>
  ({ kind: 'web', spec: Type.Object({}), localFields }) as unknown as ProxyKind
const kinds = (one: ProxyKind): Registry<ProxyKind> =>
  ({ has: (name: string) => name === 'web', get: () => one, list: () => ['web'] }) as unknown as Registry<ProxyKind>

describe('client.accept', () => {
  it('accepts nothing unless it says so', () => {
    const none = acceptance({})
    expect(codeOf(() => none.service('127.0.0.1:3000'))).to.equal('proxy.not-accepted')
    expect(codeOf(() => none.checkKind({ name: 'a', kind: 'web' }, kinds(kind(['local']))))).to.equal(
      'proxy.not-accepted'
    )
    for (const accept of [{ hosts: ['127.0.0.1'] }, { ports: [3000] }]) {
      expect(codeOf(() => acceptance(accept).service('127.0.0.1:3000'))).to.equal('proxy.not-accepted')
    }
  })

  const some = {
    hosts: ['127.0.0.1', '10.1.0.0/16', '2001:db8::/32', 'Db.Internal', 'unix:/run/app.sock'],
    ports: ['3000-3999', 80]
  }

  for (const [local, service] of [
    ['127.0.0.1:3000', '127.0.0.1:3000'],
    ['[::ffff:127.0.0.1]:3999', '[::ffff:127.0.0.1]:3999'],
    ['[::ffff:7f00:1]:80', '[::ffff:7f00:1]:80'],
    ['10.1.255.255:80', '10.1.255.255:80'],
    ['[2001:DB8::1]:80', '[2001:DB8::1]:80'],
    ['db.internal:80', 'db.internal:80'],
    ['DB.INTERNAL:80', 'DB.INTERNAL:80'],
    ['unix:/run/app.sock', 'unix:/run/app.sock'],
    ['3000', '127.0.0.1:3000'],
    ['localhost:80', '127.0.0.1:80'],
    [3000, '127.0.0.1:3000']
  ] as const) {
    it(`accepts ${local}`, () => {
      expect(acceptance(some).service(local)).to.equal(service)
    })
  }

  for (const local of [
    '127.0.0.1:2999',
    '127.0.0.1:4000',
    '127.0.0.2:3000',
    '0.0.0.0:3000',
    '[::]:3000',
    '[::1]:3000',
    '[::127.0.0.1]:3000',
    '[::ffff:127.0.0.2]:3000',
    '[64:ff9b::7f00:1]:3000',
    '[fe80::1%lo]:3000',
    '[2001:db8::1%eth0]:3000',
    '127.1:3000',
    '2130706433:3000',
    '0x7f.0.0.1:3000',
    '0177.0.0.1:3000',
    '127.0.0.1.nip.io:3000',
    'localhost.example.org:3000',
    'sub.db.internal:80',
    'db.internal.:3000x',
    'evil.example:3000',
    'user@127.0.0.1:3000',
    '127.0.0.1:3000@evil.example:80',
    'http://127.0.0.1:3000',
    'unix:/run/app.sock/../other.sock',
    'unix:/run//app.sock',
    'unix:run/app.sock',
    'unix:/etc/shadow',
    '/run/app.sock',
    'handler:web',
    '',
    '127.0.0.1',
    '127.0.0.1:3000-3001',
    80.5,
    null,
    undefined,
    ['127.0.0.1:3000'],
    { host: '127.0.0.1', port: 3000 }
  ]) {
    it(`does not accept ${JSON.stringify(local)}`, () => {
      expect(codeOf(() => acceptance(some).service(local))).to.match(/^proxy\.(not-accepted|invalid)$/)
    })
  }

  it('a port alone is of the loopback that is listed, and localhost lists both', () => {
    expect(acceptance({ hosts: ['::1'], ports: [1] }).service(1)).to.equal('[::1]:1')
    const both = acceptance({ hosts: ['localhost'], ports: [1] })
    expect(['1', '127.0.0.1:1', '[::1]:1'].map((local) => both.service(local))).to.deep.equal([
      'localhost:1',
      '127.0.0.1:1',
      '[::1]:1'
    ])
    expect(codeOf(() => both.service('127.0.0.2:1'))).to.equal('proxy.not-accepted')
  })

  it('takes no kind that is not listed or not registered, and no field that names a file or a secret here', () => {
    const accept = acceptance({ kinds: ['web', 'other'] })
    const check = (spec: object, localFields = ['local']) =>
      codeOf(() => accept.checkKind({ name: 'a', kind: 'web', ...spec }, kinds(kind(localFields))))
    expect(check({ local: 1, proxyProtocol: 'v2' })).to.equal(undefined)
    expect(check({ kind: 'third' })).to.equal('proxy.not-accepted')
    expect(check({ kind: 'other' })).to.equal('proxy.unknown-kind')
    expect(check({ secretFile: '/etc/shadow' }, ['local', 'secretFile'])).to.equal('proxy.not-accepted')
    expect(check({}, []), 'its service cannot be known').to.equal('proxy.not-accepted')
  })

  for (const hosts of [['*'], ['10.0.0.0/33'], ['exa mple'], ['unix:'], [7], 'localhost', ['http://a'], ['127.1']]) {
    it(`hosts: ${JSON.stringify(hosts)} is refused as a configuration`, () => {
      expect(codeOf(() => acceptance({ hosts }))).to.equal('config.invalid')
    })
  }
})
