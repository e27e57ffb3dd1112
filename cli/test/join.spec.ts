import { isRystraError } from '@rystra/model'
import { expect } from 'chai'
import fc from 'fast-check'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { decodeJoin, encodeJoin, type Join } from '../src/join/join-string.js'
import { joinTopic } from '../src/topics.js'

const fingerprint = 'sha256:de689f412ce95015c5e45d6a89d1aa595033cebbf5b4bf86ad0e8de4675215c2'
const usual: Join = {
  transport: 'tls',
  host: '127.0.0.1',
  port: 7000,
  more: [],
  token: 'abc',
  once: false,
  fields: { fingerprint }
}

const refused = (text: string, words: RegExp): void => {
  try {
    decodeJoin(text)
  } catch (error) {
    expect(isRystraError(error) && error.code).to.equal('usage.invalid')
    expect((error as Error).message).to.match(words)
    return
  }
  expect.fail(`${text} was read`)
}

describe('join strings', () => {
  it('are one word that says all of it again', () => {
    fc.assert(
      fc.property(
        fc.record({
          transport: fc.constantFrom('tls', 'quic', 'wss'),
          host: fc.constantFrom('tunnel.example.org', '2001:db8::1', '203.0.113.7'),
          port: fc.integer({ min: 1, max: 65535 }),
          more: fc.constantFrom([], ['b.example.org:7000'], ['[2001:db8::2]:443', '203.0.113.8:7001']),
          token: fc.string({ minLength: 1, maxLength: 1024, unit: 'grapheme' }),
          once: fc.boolean(),
          fields: fc.constantFrom<Record<string, string>>({}, { fingerprint }, { fingerprint, path: '/tunnel?a=b' })
        }),
        (join) => {
          const word = encodeJoin(join)
          expect(word).to.match(/^rystra1_[\w-]+$/)
          expect(decodeJoin(word)).to.deep.equal(join)
        }
      )
    )
  })

  it('are refused when a letter is changed, missing or too many', () => {
    const word = encodeJoin(usual)
    for (let at = 8; at < word.length; at++) {
      refused(word.slice(0, at) + (word[at] === 'A' ? 'B' : 'A') + word.slice(at + 1), /damaged/)
      refused(word.slice(0, at), /damaged/)
    }
    for (const more of ['x', 'xy', '.', ' ', '\n']) refused(word + more, /damaged/)
    refused('tls://tunnel.example.org', /begins with rystra1_/)
    refused('rystra2_AAAA', /newer version/)
  })

  it('may name further servers, which readers that know one address skip', () => {
    const word = encodeJoin({ ...usual, more: ['b.example.org:7000'] })
    expect(decodeJoin(word).more).to.deep.equal(['b.example.org:7000'])
    const more = Buffer.from(word.slice(8), 'base64url').subarray(0, -4).lastIndexOf('b.example.org:7000') - 3
    expect(Buffer.from(word.slice(8), 'base64url')[more], 'a number that may be skipped').to.equal(128)
    refused(encodeJoin({ ...usual, more: ['no port'] }), /invalid server/)
  })

  it('are documented as they are', () => {
    const page = readFileSync(fileURLToPath(new URL('../../docs/reference/join.md', import.meta.url)), 'utf8')
    expect(decodeJoin(/^rystra1_\S+$/m.exec(page)?.[0] ?? '')).to.deep.equal(usual)
  })
})

describe('a port alone', () => {
  it('is published by http', () => {
    for (const service of ['3000', 'localhost:3000', '192.168.1.5:3000', '[::1]:3000'])
      expect(joinTopic([service, '--join', 'x'])).to.deep.equal(['expose', 'http', service, '--join', 'x'])
    for (const other of ['plugins:add', 'cert:ca', 'serve', '--version', '123456'])
      expect(joinTopic([other])).to.deep.equal([other])
  })
})
