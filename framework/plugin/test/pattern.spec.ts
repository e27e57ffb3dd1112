import { expect } from 'chai'
import { identityFault, pattern } from '../src/index.js'

describe('patterns', () => {
  for (const [text, fitting, others] of [
    ['nas', ['nas'], ['', 'nas ', 'Nas', 'nass', '*']],
    ['*', ['', 'a', 'a/b.c', '*'], []],
    ['', [''], ['a']],
    ['*.example.org', ['a.example.org', 'a.b.example.org', '.example.org'], ['example.org', 'a.example.org.evil']],
    ['spiffe://x/*', ['spiffe://x/', 'spiffe://x/ns/a'], ['spiffe://x', 'spiffe://xx/a']],
    ['a*b*c', ['abc', 'aXbYc', 'abbc', 'abcbc'], ['ab', 'ac', 'abcX', 'acb', 'Xabc']],
    ['aa*aa', ['aaaa', 'aaXaa'], ['aaa', 'aa']],
    ['a**b', ['ab', 'aXb'], ['a', 'b']],
    ['*a*ba*', ['aba', 'XabaY'], ['ab', 'ba']],
    ['*ab*b', ['abb', 'XabYb'], ['ab', 'b']],
    ['a.c+(d)[e]^$\\', ['a.c+(d)[e]^$\\'], ['abc+(d)[e]^$\\']]
  ] as const) {
    it(`"${text}"`, () => {
      const fits = pattern(text)
      for (const value of fitting) expect(fits(value), value).to.equal(true)
      for (const value of others) expect(fits(value), value).to.equal(false)
    })
  }

  it('decide what would keep an expression busy for ever', () => {
    expect(pattern('*a'.repeat(2000).concat('*b'))('a'.repeat(100_000))).to.equal(false)
    expect(pattern('*a'.repeat(2000).concat('*'))('a'.repeat(100_000))).to.equal(true)
  })
})

describe('ids of identities', () => {
  it('are refused when a log or a terminal cannot show them', () => {
    for (const id of [
      'a\nb',
      'a\u001b[2J',
      '\u0085',
      'a\u2028b',
      '\u202eabc',
      '\u2066',
      'a\u061cb',
      '\ud83d',
      'a\u0000'
    ]) {
      expect(identityFault(id), JSON.stringify(id)).to.equal('has characters that cannot be shown')
    }
    expect(identityFault('')).to.equal('is empty')
    expect(identityFault('x'.repeat(129))).to.match(/129 characters/)
  })

  it('may be anything else', () => {
    for (const id of [
      'home',
      'x'.repeat(128),
      'repo:acme/web:ref:refs/heads/main',
      'münchen 1 😀',
      'spiffe://x/ns/a'
    ]) {
      expect(identityFault(id), id).to.equal(undefined)
    }
  })
})
