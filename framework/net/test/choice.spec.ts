import { isRystraError } from '@rystra/plugin'
import { Value } from '@sinclair/typebox/value'
import { expect } from 'chai'
import { dialFields } from '../src/index.js'
import { chooseProxy, noProxyCovers } from '../src/proxy/choice.js'

const named = (env: Record<string, string>, host = 'server.example', port = 7000, written?: string) =>
  chooseProxy(written, host, port, env)?.name

describe('the choice of a proxy', () => {
  it('is the one of the configuration, or none at all if it says so', () => {
    const env = { https_proxy: 'http://other:1', no_proxy: '*' }
    expect(named(env, 'a', 1, 'socks5h://mine:9')).to.equal('socks5h://mine:9')
    expect(named({ https_proxy: 'http://other:1' }, 'a', 1, 'none')).to.equal(undefined)
  })

  it('is that of the environment otherwise: small letters first, https before all, empty ones not at all', () => {
    expect(named({})).to.equal(undefined)
    expect(named({ ALL_PROXY: 'socks5h://d:1' })).to.equal('socks5h://d:1')
    expect(named({ ALL_PROXY: 'socks5h://d:1', all_proxy: 'socks5h://c:1' })).to.equal('socks5h://c:1')
    expect(named({ all_proxy: 'socks5h://c:1', HTTPS_PROXY: 'http://b:1' })).to.equal('http://b:1')
    expect(named({ HTTPS_PROXY: 'http://b:1', https_proxy: 'http://a:1' })).to.equal('http://a:1')
    expect(named({ HTTPS_PROXY: 'http://b:1', https_proxy: ' ' })).to.equal('http://b:1')
    expect(named({ http_proxy: 'http://e:1', HTTP_PROXY: 'http://e:1' }), 'not for this').to.equal(undefined)
    expect(named({ https_proxy: 'a.example:3128' }), 'http unless it says more').to.equal('http://a.example:3128')
  })

  it('has the port of its scheme, and an IPv6 host in brackets', () => {
    for (const [url, name] of [
      ['http://a', 'http://a:80'],
      ['https://a/', 'https://a:443'],
      ['socks5://a', 'socks5://a:1080'],
      ['socks5h://[::1]', 'socks5h://[::1]:1080'],
      ['socks://a', 'socks5h://a:1080'],
      ['HTTP://A.example:3128/', 'http://A.example:3128']
    ] as const)
      expect(named({}, 'x', 1, url), url).to.equal(name)
  })

  it('takes credentials apart at the first colon, escaped or not', () => {
    for (const [userinfo, user, password] of [
      ['ann:secret', 'ann', 'secret'],
      ['ann', 'ann', ''],
      ['a%40b:c%3Ad%25', 'a@b', 'c:d%'],
      ['ann:p@ss/w#rd?:x', 'ann', 'p@ss/w#rd?:x'],
      ['ann:100%', 'ann', '100%'],
      ['J%C3%BCrgen:%E2%82%AC', 'Jürgen', '€']
    ] as const)
      expect(chooseProxy(`http://${userinfo}@proxy:1`, 'x', 1, {})).to.deep.include({
        host: 'proxy',
        credentials: { user, password },
        name: 'http://proxy:1'
      })
  })

  it('rejects an invalid address without repeating it', () => {
    for (const url of [
      'socks4://u:s3cret@a:1',
      'ftp://u:s3cret@a',
      'http://u:s3cret@a:0',
      'http://u:s3cret@a:70000',
      'http://u:s3cret@',
      'http://u:s3cret@a b',
      'http://u:s3cret@a/path',
      'u:s3cret',
      `http://u:s3cret${'x'.repeat(250)}@a`
    ]) {
      for (const choose of [
        () => chooseProxy(url, 'x', 1, {}),
        () => chooseProxy(undefined, 'x', 1, { HTTPS_PROXY: url })
      ]) {
        let thrown: unknown
        try {
          choose()
        } catch (error) {
          thrown = error
        }
        if (!isRystraError(thrown)) throw new Error(`${url} was taken`)
        expect(thrown.code).to.equal('config.invalid')
        expect(`${thrown.message} ${thrown.hint}`).not.to.contain('s3cret')
      }
    }
    expect(() => chooseProxy(undefined, 'x', 1, { ALL_PROXY: 'socks4://a' })).to.throw(/environment variable ALL_PROXY/)
  })

  it('is checked for its form where it is configured', () => {
    for (const good of ['none', 'http://a', 'https://u:p@a:1', 'socks5://[::1]:1', 'SOCKS5H://a'])
      expect(Value.Check(dialFields.proxy, good), good).to.equal(true)
    for (const bad of ['', 'None', 'a:3128', 'socks4://a', 'ftp://a', 'http://', 'http://a b', 7])
      expect(Value.Check(dialFields.proxy, bad), String(bad)).to.equal(false)
  })
})

describe('NO_PROXY', () => {
  const covers: readonly (readonly [string, string, boolean])[] = [
    ['*', 'anything', true],
    ['', 'anything', false],
    ['example.org', 'example.org', true],
    ['example.org', 'www.example.org', true],
    ['example.org', 'www.Example.ORG.', true],
    ['example.org', 'badexample.org', false],
    ['.example.org', 'example.org', true],
    ['.example.org', 'www.example.org', true],
    ['*.example.org', 'www.example.org', true],
    ['www.example.org', 'example.org', false],
    ['a, example.org,b', 'example.org', true],
    ['a example.org', 'example.org', true],
    ['.', 'example.org', false],
    ['192.0.2.1', '192.0.2.1', true],
    ['192.0.2.1', '192.0.2.10', false],
    ['2.1', '192.0.2.1', false],
    ['192.0.2.0/24', '192.0.2.77', true],
    ['192.0.2.0/24', '192.0.3.1', false],
    ['192.0.2.1/32', '192.0.2.1', true],
    ['0.0.0.0/0', '192.0.2.1', true],
    ['192.0.2.0/33', '192.0.2.1', false],
    ['192.0.2.0/x', '192.0.2.1', false],
    ['192.0.2.0/24', 'server.example', false],
    ['2001:db8::/32', '2001:db8:1::1', true],
    ['2001:db8::/32', '2001:db9::1', false],
    ['[2001:db8::1]', '2001:db8:0::1', true],
    ['2001:DB8::1', '2001:db8::1', true],
    ['::1', '[::1]', true],
    ['10.0.0.0/8', '::1', false],
    ['example.org:7000', 'example.org', true],
    ['example.org:7001', 'example.org', false],
    ['192.0.2.1:7000', '192.0.2.1', true],
    ['[::1]:7000', '::1', true],
    ['[::1]:7001', '::1', false]
  ]
  for (const [list, host, direct] of covers)
    it(`"${list}" ${direct ? 'covers' : 'does not cover'} ${host} port 7000`, () => {
      expect(noProxyCovers(list, host, 7000)).to.equal(direct)
      const env = { HTTPS_PROXY: 'http://proxy:1', NO_PROXY: list }
      expect(named(env, host) === undefined).to.equal(direct)
    })
})
