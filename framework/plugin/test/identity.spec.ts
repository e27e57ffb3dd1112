import { expect } from 'chai'
import { identityFault } from '../src/index.js'

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
