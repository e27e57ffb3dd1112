import { expect } from 'chai'
import { rewrite } from './setup.js'

describe('rewriting heads', () => {
  it('removes, replaces, sets and adds, in this order, whatever the case of names', () => {
    const it = rewrite([
      {
        heads: [
          {
            on: 'request',
            add: { 'X-Tag': 'added' },
            set: { Host: 'inner.local', 'x-new': '1' },
            replace: [{ header: 'X-TAG', pattern: '^(.)', with: '<$1>' }],
            remove: ['cookie', 'X-Internal-*']
          }
        ]
      }
    ])
    const { headers } = it.request({
      headers: [
        ['Host', 'app.example.org'],
        ['COOKIE', 'a=b'],
        ['x-internal-user', 'root'],
        ['X-Tag', 'one'],
        ['x-tag', 'two'],
        ['host', 'smuggled']
      ]
    })
    expect(headers).to.deep.equal([
      ['Host', 'inner.local'],
      ['X-Tag', '<o>ne'],
      ['x-tag', '<t>wo'],
      ['x-new', '1'],
      ['X-Tag', 'added']
    ])
  })

  it('changes the same list, which the kind of proxy holds', () => {
    const headers: [string, string][] = [['a', 'b']]
    rewrite([{ heads: [{ on: 'request', remove: ['a'] }] }]).request({ headers })
    expect(headers).to.deep.equal([])
  })

  it('leaves alone what frames the message, also for a star', () => {
    const framing: [string, string][] = [
      ['Content-Length', '5'],
      ['Transfer-Encoding', 'chunked'],
      ['Connection', 'close']
    ]
    const { headers } = rewrite([{ heads: [{ on: 'request', remove: ['*'] }] }]).request({
      headers: [...framing, ['x-a', 'b']]
    })
    expect(headers).to.deep.equal(framing)
  })

  it('changes the target of a request', () => {
    const it = rewrite([
      { heads: [{ on: 'request', target: { pattern: '^/api/(?P<rest>.*)$', with: '/v2/$<rest>' } }] }
    ])
    expect(it.request({ target: '/api/users?x=1' }).target).to.equal('/v2/users?x=1')
    expect(it.request({ target: '/other' }).target).to.equal('/other')
  })

  it('changes responses by the proxy of their request, and no others', () => {
    const it = rewrite([
      {
        proxies: ['web-*'],
        kinds: ['http'],
        heads: [
          {
            on: 'response',
            replace: [
              {
                header: 'Location',
                pattern: '^http://inner\\.local',
                with: 'https://app.example.org',
                ignoreCase: true
              }
            ],
            set: { 'Strict-Transport-Security': 'max-age=31536000' }
          }
        ]
      }
    ])
    const own = it.request({ proxy: { name: 'web-1', kind: 'http' } })
    expect(it.response([['location', 'HTTP://Inner.Local/x']], own).headers).to.deep.equal([
      ['location', 'https://app.example.org/x'],
      ['Strict-Transport-Security', 'max-age=31536000']
    ])
    for (const proxy of [
      { name: 'other', kind: 'http' },
      { name: 'web-1', kind: 'https' }
    ]) {
      expect(it.response([['location', 'http://inner.local/x']], it.request({ proxy })).headers).to.have.length(1)
    }
  })

  it('replaces the first match, or all', () => {
    const change = { header: 'x-a', pattern: 'a', with: 'b' }
    const one = (all: boolean) =>
      rewrite([{ heads: [{ on: 'request', replace: [{ ...change, all }] }] }]).request({ headers: [['x-a', 'aaa']] })
    expect(one(false).headers).to.deep.equal([['x-a', 'baa']])
    expect(one(true).headers).to.deep.equal([['x-a', 'bbb']])
  })

  it('may put something in front, by a pattern that matches nothing', () => {
    const it = rewrite([{ heads: [{ on: 'request', replace: [{ header: 'x-a', pattern: '^', with: 'in front: ' }] }] }])
    expect(it.request({ headers: [['x-a', 'b']] }).headers).to.deep.equal([['x-a', 'in front: b']])
  })

  it('carries rules out in their order', () => {
    const step = (pattern: string, to: string) => ({
      heads: [{ on: 'request' as const, target: { pattern, with: to } }]
    })
    expect(rewrite([step('a', 'b'), step('b', 'c')]).request({ target: '/a' }).target).to.equal('/c')
  })

  for (const pattern of ['(a+)+$', '^(a|aa)+$', '(.*a){30}b', '(a*)*c', '([a-z]+)*[0-9]']) {
    it(`is done at once with ${pattern} and text made to hang it`, () => {
      const it = rewrite([{ heads: [{ on: 'request', replace: [{ header: 'x-a', pattern, with: 'x' }] }] }])
      const text = `${'a'.repeat(60_000)}!`
      expect(it.request({ headers: [['x-a', text]] }).headers[0]?.[1]).to.equal(text)
    })
  }

  it('refuses what would break the request line', () => {
    const to = (text: string) => rewrite([{ heads: [{ on: 'request', target: { pattern: '^.*$', with: text } }] }])
    for (const text of ['', 'x', '/a b', '/a\r\nx: y', 'http://elsewhere/']) {
      expect(() => to(text).request({ target: '/' }), text)
        .to.throw(/not a valid request target/)
        .with.property('code', 'hook.failed')
    }
    expect(to('/fine').request({ target: '/' }).target).to.equal('/fine')
  })

  it('refuses what would be no header', () => {
    const it = rewrite([{ heads: [{ on: 'request', replace: [{ header: 'x-a', pattern: 'a', with: 'b\r\nc: d' }] }] }])
    expect(() => it.request({ headers: [['x-a', 'a']] }))
      .to.throw(/not a valid header value/)
      .with.property('code', 'hook.failed')
  })

  it('refuses what would grow beyond measure', () => {
    const it = rewrite([
      { heads: [{ on: 'request', replace: [{ header: 'x-a', pattern: 'a', with: 'b'.repeat(8000), all: true }] }] }
    ])
    expect(() => it.request({ headers: [['x-a', 'a'.repeat(1000)]] }))
      .to.throw(/more than 65536/)
      .with.property('code', 'hook.failed')
  })

  it('taps nothing that no rule is about', () => {
    const hooksOf = (rules: Parameters<typeof rewrite>[0]) => rewrite(rules).taps.map(({ hook }) => hook)
    expect(hooksOf([])).to.deep.equal([])
    expect(hooksOf([{ heads: [{ on: 'response' }] }])).to.deep.equal(['onResponse'])
    expect(hooksOf([{ bytes: [{ direction: 'toService', find: 'a', replace: 'b' }] }])).to.deep.equal(['onOpenStream'])
  })
})
