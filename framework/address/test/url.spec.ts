import { expect } from 'chai'
import { checkUrl, urlProblem } from '../src/url.js'

const redis = { schemes: ['redis', 'rediss'], example: 'redis://host:6379' }

describe('a URL', () => {
  it('is one of the schemes of its option, with a host', () => {
    for (const text of ['redis://h', 'REDISS://h:1/0', 'redis://user:pass@[::1]:6379', 'redis://h:1?x=y']) {
      expect(urlProblem(text, redis), text).equal(undefined)
    }
  })

  it('is refused with what was expected, and without its text, which may be secret', () => {
    const good = 'a URL such as redis://host:6379'
    for (const [text, problem] of [
      ['h:6379', `${good}, with redis:// or rediss:// in front`],
      ['http://:secret@h', `${good}, with redis:// or rediss:// in front`],
      [' redis://h', `${good}, without white space`],
      ['redis://:secret@h:99999', `${good}; in the place of its host and port a port from 1 to 65535`],
      [
        'redis://:secret@::1:6379',
        `${good}; in the place of its host and port [::1]:6379, with brackets around the IPv6 address, or [::1:6379] for the address alone`
      ]
    ] as const) {
      expect(urlProblem(text, redis), text).equal(problem)
      expect(() => checkUrl(text, redis, 'url'), text).throws(`url: expected ${problem}`)
    }
    for (const text of ['redis://', 'redis:///x', 'redis://[::1', 'redis://a..b'])
      expect(urlProblem(text, redis), text).match(/^a URL such as/)
  })
})
