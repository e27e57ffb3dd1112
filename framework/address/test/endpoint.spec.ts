import { isRystraError } from '@rystra/model'
import { expect } from 'chai'
import fc from 'fast-check'
import { endpointField, endpointProblem, formatEndpoint, parseEndpoint } from '../src/index.js'
import type { EndpointForms } from '../src/endpoint.js'

const service: EndpointForms & { unix: true } = { defaultHost: '127.0.0.1', unix: true, handler: true }
const ranges = { ...service, range: true } as const
const server: EndpointForms = { scheme: true, defaultPort: 7000 }
const source = { name: 'local', code: 'proxy.invalid', side: 'client' } as const

describe('an endpoint', () => {
  it('is a host and a port, a port alone, a range, a path, with a scheme or without, as the option allows', () => {
    for (const [text, forms, expected] of [
      ['3000', service, { host: '127.0.0.1', port: 3000 }],
      [3000, service, { host: '127.0.0.1', port: 3000 }],
      ['db.lan:5432', service, { host: 'db.lan', port: 5432 }],
      ['my_db:5432', service, { host: 'my_db', port: 5432 }],
      ['münchen.example:80', service, { host: 'münchen.example', port: 80 }],
      ['[::1]:80', service, { host: '::1', port: 80 }],
      ['[fe80::1%eth0]:80', service, { host: 'fe80::1%eth0', port: 80 }],
      ['unix:/run/app.sock', service, { path: '/run/app.sock' }],
      ['8000-8002', ranges, { host: '127.0.0.1', port: 8000, last: 8002 }],
      ['[::1]:8000-8002', ranges, { host: '::1', port: 8000, last: 8002 }],
      ['0', { ...service, anyPort: true }, { host: '127.0.0.1', port: 0 }],
      ['example.org', server, { host: 'example.org', port: 7000 }],
      ['TLS://example.org:7002', server, { scheme: 'tls', host: 'example.org', port: 7002 }],
      ['tls://example.org:7001', server, { scheme: 'tls', host: 'example.org', port: 7001 }],
      ['quic://[::1]', server, { scheme: 'quic', host: '::1', port: 7000 }],
      ['2001:db8::1', server, { host: '2001:db8::1', port: 7000 }],
      ['2001:db8:0:0:0:0:0:1', server, { host: '2001:db8:0:0:0:0:0:1', port: 7000 }]
    ] as const) {
      expect(parseEndpoint(text, forms, source), String(text)).deep.equal(expected)
    }
  })

  it('is answered with the corrected form where it can be told', () => {
    for (const [text, forms, problem] of [
      ['::1:7150', server, '[::1]:7150, with brackets around the IPv6 address, or [::1:7150] for the address alone'],
      ['tls://::1:7150', server, /^tls:\/\/\[::1\]:7150,/],
      ['tcp://h:7000/x', server, 'tcp://h:7000, without /x'],
      ['TCP://u:p@h/', server, 'tcp://h, without a user'],
      ['h:7000/x?y#z', server, 'h:7000, without /x?y#z'],
      [' h:1\n', server, 'h:1, without white space'],
      ['http://localhost:3000/app', service, 'localhost:3000, without http:// and /app'],
      ['HTTPS://example.org', service, 'example.org:443, without HTTPS://'],
      ['http://u:p@[::1]:3000', service, '[::1]:3000, without http:// and a user'],
      [':3000', service, '3000'],
      [' 3000', service, '3000, without white space'],
      [`x:1/${'y'.repeat(99)}`, service, 'x:1, without a path'],
      ['http://', service, /^host:port, /],
      ['fe80::1:2', server, /^\[fe80::1\]:2,/],
      ['::1:3000', service, '[::1]:3000, with brackets around the IPv6 address'],
      ['2001:db8:0:0:0:0:0:1:3000', service, /^\[2001:db8:0:0:0:0:0:1\]:3000,/],
      ['::1:8000-8002', ranges, /^\[::1\]:8000-8002,/],
      ['::1', service, 'a port: [::1]:port'],
      ['[::1]', service, 'a port: [::1]:port'],
      ['example.org', service, 'a port: example.org:port'],
      ['http://localhost:3000/', service, 'localhost:3000, without http://'],
      ['/run/app.sock', service, 'unix:/run/app.sock'],
      ['9-8', ranges, 'a range that goes up: 8-9'],
      ['x:70000', service, 'a port from 1 to 65535'],
      ['0', service, 'a port from 1 to 65535'],
      ['[x]:1', service, 'an IPv6 address in the brackets'],
      ['a b:80', service, 'host:port, [v6 address]:port, a port of 127.0.0.1 or unix:/path']
    ] as const) {
      const found = endpointProblem(text, forms)
      if (typeof problem === 'string') expect(found, text).equal(problem)
      else expect(found, text).match(problem)
    }
  })

  it('is refused with the code of its option, which is named', () => {
    for (const text of [
      '',
      ':80',
      'x:',
      'x:1:2',
      '1.2.3:80',
      '256.1.1.1:80',
      'a..b:80',
      '-x:1',
      'x\u202e:1',
      'x\n:1'
    ]) {
      const parse = (): unknown => parseEndpoint(text, service, source)
      expect(parse, JSON.stringify(text)).throws('local: expected ').with.property('code', 'proxy.invalid')
    }
    expect(() => parseEndpoint('x'.repeat(5000), service, source)).throws(/^.{1,400}$/s)
  })

  it('is understood or refused, whatever is written, and can be written again', () => {
    const text = fc.oneof(fc.string(), fc.stringMatching(/^[a-z:/.[\]0-9@-]{0,30}$/))
    fc.assert(
      fc.property(text, fc.constantFrom(service, ranges, server), (written, forms) => {
        try {
          const endpoint = parseEndpoint(written, forms, source)
          expect(parseEndpoint(formatEndpoint(endpoint), forms, source)).deep.equal(endpoint)
        } catch (error) {
          expect(isRystraError(error), String(error)).equal(true)
        }
      }),
      { numRuns: 600 }
    )
  })

  it('is an option whose schema takes what the parser takes, and says what was expected', () => {
    const field = endpointField(service, 'The service.')
    const { pattern } = (field['anyOf'] as { pattern: string }[])[0] as { pattern: string }
    const resolve = (field as never as Record<symbol, (value: unknown) => unknown>)[Symbol.for('rystra.config.resolve')]
    for (const good of ['3000', 'db.lan:5432', '[::1]:80', 'unix:/run/app.sock', 'handler:web']) {
      expect(good).match(new RegExp(pattern))
      expect(resolve?.(good)).equal(good)
    }
    expect(() => resolve?.('::1:3000')).throws('expected [::1]:3000')
    expect('::1:3000').not.match(new RegExp(pattern))
    for (const bad of [null, {}, true]) expect(() => resolve?.(bad)).throws('expected host:port')
  })
})
