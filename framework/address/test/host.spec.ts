import { expect } from 'chai'
import { asciiHost, asciiHostPattern } from '../src/index.js'

describe('a host name', () => {
  it('has one form: ASCII, lower case, without the dot of the root', () => {
    expect(['Web.Example.ORG', 'web.localhost.', 'münchen.example', 'a_b.c', '1a.b'].map(asciiHost)).deep.equal([
      'web.example.org',
      'web.localhost',
      'xn--mnchen-3ya.example',
      'a_b.c',
      '1a.b'
    ])
    expect(asciiHostPattern('*.Example.org.')).equal('*.example.org')
  })

  it('is refused with empty labels, characters that cannot be shown, or as an address', () => {
    for (const text of [
      '',
      '.',
      '..',
      'a..b',
      '.a',
      'a..',
      'a b',
      'a\u0000',
      'a\u202eb',
      'a/b',
      'a:80',
      '-a',
      'a-',
      '*',
      '*.a',
      '10.0.0.1',
      '1.2.3',
      '0x7f.1',
      'a.1',
      '[::1]',
      '::1',
      `${'a'.repeat(64)}.b`,
      'a.'.repeat(127).concat('abc')
    ]) {
      expect(asciiHost(text), JSON.stringify(text)).equal(undefined)
    }
    for (const text of ['*', '*.', '*.*.a', 'a.*']) expect(asciiHostPattern(text), text).equal(undefined)
  })
})
