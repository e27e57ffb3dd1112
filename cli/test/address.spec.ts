import { expect } from 'chai'
import fc from 'fast-check'
import { isRystraError } from '@rystra/model'
import { formatServer, parseServerAddress, parseService } from '../src/address.js'
import { dialable } from '../src/run/dialable.js'
import { dialFields } from '../src/run/target.js'

const refuses = (act: () => unknown, what: string): void => {
  try {
    act()
  } catch (error) {
    expect(isRystraError(error) && error.code, what).to.equal('usage.invalid')
    return
  }
  expect.fail(`${what} was taken`)
}

describe('addresses on the command line', () => {
  it('--to takes a transport, a host and a port, and has usual ones', () => {
    expect(parseServerAddress('tcp://tunnel.example.org:7001')).to.deep.equal({
      transport: 'tcp',
      host: 'tunnel.example.org',
      port: 7001
    })
    expect(parseServerAddress('quic://[::1]:9')).to.deep.equal({ transport: 'quic', host: '::1', port: 9 })
    expect(parseServerAddress('example.org')).to.deep.equal({ transport: 'tcp', host: 'example.org', port: 7000 })
    expect(parseServerAddress('192.0.2.1:80')).to.deep.equal({ transport: 'tcp', host: '192.0.2.1', port: 80 })
    expect(() => parseServerAddress('::1:7150')).throws('--to: expected [::1]:7150, with brackets')
    expect(parseServerAddress('2001:db8::1')).to.deep.equal({ transport: 'tcp', host: '2001:db8::1', port: 7000 })
  })

  for (const garbage of [
    '',
    ' ',
    'tcp://',
    '://x',
    'tcp:/x:1',
    'x:0',
    'x:65536',
    'x:1e3',
    'x:-1',
    'x:',
    'x: 80',
    'x/path',
    'tcp://user@x:1',
    'tcp://x:1/path',
    '[::1',
    '[x]:1',
    '::1:7000:',
    'a b',
    'x\n:1',
    '-x:1',
    `${'x'.repeat(300)}:1`
  ]) {
    it(`--to ${JSON.stringify(garbage.slice(0, 20))} is refused`, () => {
      refuses(() => parseServerAddress(garbage), garbage)
    })
  }

  it('whatever is written, it is understood or refused, and what is understood can be written again', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[a-z:/.[\]0-9@-]{0,30}$/)), (text) => {
        try {
          const server = parseServerAddress(text)
          expect(parseServerAddress(formatServer(server))).to.deep.equal(server)
          expect(server.port).to.be.within(1, 65535)
        } catch (error) {
          expect(isRystraError(error), String(error)).to.equal(true)
        }
      }),
      { numRuns: 600 }
    )
  })

  it('a service is a port of this machine, a host and port, a range, or a unix socket', () => {
    expect(parseService('3000')).to.equal('localhost:3000')
    expect(parseService('3000', 'udp')).to.equal('127.0.0.1:3000')
    expect(parseService('db.lan:5432')).to.equal('db.lan:5432')
    expect(parseService('[::1]:80')).to.equal('[::1]:80')
    expect(() => parseService('::1:3000')).throws('expected [::1]:3000')
    expect(parseService('8000-8002')).to.equal('localhost:8000-8002')
    expect(parseService('db.lan:8000-8002')).to.equal('db.lan:8000-8002')
    expect(parseService('unix:/run/app.sock')).to.equal('unix:/run/app.sock')
    for (const garbage of [
      '',
      'x',
      '0',
      '70000',
      'unix:',
      '9-8',
      'x:',
      ':80:',
      'a b:80',
      '/run/app.sock',
      '1-',
      '-1'
    ]) {
      refuses(() => parseService(garbage), garbage)
    }
  })

  it('an address of all interfaces is told as one that can be dialed', () => {
    const of = (address: string, internal = false) => [
      { address, internal, family: 'IPv4', netmask: '', mac: '', cidr: null } as const
    ]
    expect(dialable('192.0.2.7')).to.equal('192.0.2.7')
    expect(dialable('127.0.0.1')).to.equal('127.0.0.1')
    expect(dialable('0.0.0.0', { lo: of('127.0.0.1', true), a: of('192.168.1.5'), b: of('203.0.113.9') })).to.equal(
      '203.0.113.9'
    )
    expect(dialable('::', { lo: of('127.0.0.1', true), a: of('10.0.0.5') })).to.equal('10.0.0.5')
    expect(dialable('0.0.0.0', { lo: of('127.0.0.1', true) })).to.equal('127.0.0.1')
  })

  it('--dial takes fields of the transport, and none that have flags of their own', () => {
    expect(dialFields(['allow=[home, office]', 'ports=1', 'ports=2', 'none=[]'])).to.deep.equal({
      allow: ['home', 'office'],
      ports: [1, 2],
      none: []
    })
    expect(dialFields(['pin=sha256:ab=', 'verify=false', 'timeout=500'])).to.deep.equal({
      pin: 'sha256:ab=',
      verify: false,
      timeout: 500
    })
    for (const garbage of ['', 'x', '=1', 'host=evil', 'port=1', '__proto__=1', 'a b=1'])
      refuses(() => dialFields([garbage]), garbage)
  })
})
