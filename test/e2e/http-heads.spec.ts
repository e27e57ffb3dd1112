import { expect } from 'chai'
import {
  ask,
  frontPort,
  mirror,
  mirrored,
  type Mirrored,
  sendRaw,
  startHttpClient,
  startHttpServer,
  startHttpService
} from './http-world.js'
import { cleanUp } from './tunnel.js'

describe('http: heads', () => {
  let port: number
  let trustedPort: number

  before(async () => {
    const { port: local } = await startHttpService((request, response) => {
      response.setHeader('X-Powered-By', 'tests')
      response.setHeader('Set-Cookie', ['a=1', 'b=2'])
      response.setHeader('Connection', 'X-Hop, keep-alive')
      response.setHeader('X-Hop', 'here')
      void mirror(request, response)
    })
    const proxies = [
      { name: 'plain', kind: 'http', local },
      {
        name: 'changed',
        kind: 'http',
        local,
        path: '/app',
        stripPrefix: true,
        hostHeader: 'inner.test:81',
        requestHeaders: { set: { 'X-Set': 'new' }, add: { 'X-Add': 'more' }, remove: ['X-Gone'] },
        responseHeaders: { set: { 'X-Frame-Options': 'DENY' }, remove: ['x-powered-by'] }
      },
      {
        name: 'locked',
        kind: 'http',
        local,
        basicAuth: [
          { user: 'ann', password: 's3cret:x' },
          { user: 'bob', password: 'bøb' }
        ]
      },
      { name: 'silent', kind: 'http', local, forwarded: false }
    ]
    port = frontPort(await startHttpClient(await startHttpServer(), proxies))
    trustedPort = frontPort(await startHttpClient(await startHttpServer({ trustedProxies: ['127.0.0.0/8'] }), proxies))
  })

  after(cleanUp)

  it('tells the service who came, and drops what visitors say of themselves', async () => {
    const spoofed = {
      'X-Forwarded-For': '1.2.3.4',
      'X-Forwarded-Proto': 'https',
      'X-Forwarded-Host': 'evil.test',
      X_Forwarded_For: '1.2.3.4',
      'X-Real-IP': '1.2.3.4',
      Forwarded: 'for=1.2.3.4'
    }
    const { headers, rawHeaders } = await mirrored(port, 'plain.localhost', '/', { headers: spoofed })
    expect(headers['x-forwarded-for']).to.equal('127.0.0.1')
    expect(headers['x-forwarded-proto']).to.equal('http')
    expect(headers['x-forwarded-host']).to.equal('plain.localhost')
    expect(headers['forwarded']).to.equal('for=127.0.0.1;host="plain.localhost";proto=http')
    expect(rawHeaders.join(' ')).to.not.match(/1\.2\.3\.4|evil/)
    const silent = await mirrored(port, 'silent.localhost', '/', { headers: spoofed })
    expect(silent.rawHeaders.join(' ')).to.not.match(/1\.2\.3\.4|evil|127\.0\.0\.1|forwarded/i)
  })

  it('adds to what a trusted proxy says', async () => {
    const { headers } = await mirrored(trustedPort, 'plain.localhost', '/', {
      headers: { 'X-Forwarded-For': '198.51.100.7', 'X-Forwarded-Proto': 'https', Forwarded: 'for=198.51.100.7' }
    })
    expect(headers['x-forwarded-for']).to.equal('198.51.100.7, 127.0.0.1')
    expect(headers['x-forwarded-proto']).to.equal('https')
    expect(headers['forwarded']).to.match(/^for=198\.51\.100\.7, for=127\.0\.0\.1;/)
  })

  it('changes heads as the proxy says, and takes the prefix off', async () => {
    const answer = await ask(port, 'changed.localhost', '/app/x?y=/app', {
      headers: { 'X-Gone': '1', 'x-set': 'old', 'X-Add': 'first' }
    })
    const { target, headers, rawHeaders } = JSON.parse(answer.body) as Mirrored
    expect(target).to.equal('/x?y=/app')
    expect(headers['host']).to.equal('inner.test:81')
    expect(headers['x-set']).to.equal('new')
    expect(headers['x-add']).to.equal('first, more')
    expect(rawHeaders.map((one) => one.toLowerCase())).to.not.include('x-gone')
    expect(answer.headers['x-frame-options']).to.equal('DENY')
    expect(answer.headers['x-powered-by']).to.equal(undefined)
    for (const [requested, got] of [
      ['/app', '/'],
      ['/app?q', '/?q'],
      ['/app/', '/'],
      ['/app//x', '//x']
    ] as const) {
      expect((await mirrored(port, 'changed.localhost', requested)).target, requested).to.equal(got)
    }
  })

  it('passes on every field but those about the connection, in order and case', async () => {
    const text = await sendRaw(
      port,
      'GET / HTTP/1.1\r\nhost: plain.localhost\r\nX-b: 1\r\nx-A: 2\r\nX-b: 3\r\nTE: trailers\r\nConnection: close, X-Own\r\nX-Own: 1\r\nProxy-Connection: x\r\nUpgrade: h2c\r\n\r\n'
    )
    const { rawHeaders } = JSON.parse(text.slice(text.indexOf('{'), text.lastIndexOf('}') + 1)) as Mirrored
    expect(rawHeaders.slice(2, 8)).to.deep.equal(['X-b', '1', 'x-A', '2', 'X-b', '3'])
    expect(rawHeaders.join(' ')).to.not.match(/x-own|proxy-connection|h2c/i)
    const { headers, rawHeaders: back } = await ask(port, 'plain.localhost')
    expect(headers['set-cookie']).to.deep.equal(['a=1', 'b=2'])
    expect(back).to.include('X-Powered-By')
    expect(headers['x-hop']).to.equal(undefined)
  })

  it('accepts a visitor that knows the password, and keeps it to itself', async () => {
    const basic = (text: string) => ({ headers: { authorization: `Basic ${Buffer.from(text).toString('base64')}` } })
    const refused = await ask(port, 'locked.localhost')
    expect(refused.status).to.equal(401)
    expect(refused.headers['www-authenticate']).to.match(/^Basic /)
    for (const wrong of ['ann:wrong', 'ann', 'bob:s3cret:x', ':', 'ann:s3cret:x ']) {
      expect((await ask(port, 'locked.localhost', '/', basic(wrong))).status, wrong).to.equal(401)
    }
    expect((await ask(port, 'locked.localhost', '/', { headers: { authorization: 'Bearer x' } })).status).to.equal(401)
    for (const right of ['ann:s3cret:x', 'bob:bøb']) {
      const { headers } = await mirrored(port, 'locked.localhost', '/', basic(right))
      expect(headers, right).to.not.have.property('authorization')
    }
    const { headers } = await mirrored(port, 'plain.localhost', '/', basic('x:y'))
    expect(headers, "without basicAuth it is the service's").to.have.property('authorization')
  })
})
