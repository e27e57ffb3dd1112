import { expect } from 'chai'
import { pattern } from '../src/index.js'

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
