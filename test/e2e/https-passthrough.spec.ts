import type { Client } from '@rystra/client'
import { expect } from 'chai'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import http2 from 'node:http2'
import https from 'node:https'
import net, { type AddressInfo } from 'node:net'
import tls from 'node:tls'
import { ask } from './http-world.js'
import { later, otherToken, until } from './tunnel.js'
import {
  ca,
  there,
  serve,
  join,
  addressOf,
  startOwn,
  askTls,
  failureOf,
  serialIn,
  own,
  startMirror,
  fixture
} from './https-world.js'

describe('https that passes through', () => {
  fixture()

  it('is the service’s own TLS, by name and wildcard, also HTTP/2 and many at once', async () => {
    const server = await serve()
    const client = await join(server, [
      own(await startOwn('own')),
      own(await startOwn('two'), { name: 'two', host: 'two.own.example.org' })
    ])
    const { port, host } = addressOf(client, 'own')
    expect(host).to.equal(`own.example.org:${port}`)
    const body = randomBytes(2_000_000)
    const sum = createHash('sha256').update(body).digest('hex')
    const answers = await Promise.all(
      ['own', 'a.own', 'two.own', 'b.c.own'].map((name) =>
        askTls(Number(port), `${name}.example.org`, {
          method: 'POST',
          body,
          rejectUnauthorized: !name.startsWith('b.')
        })
      )
    )
    expect(answers.map((answer) => answer.body)).to.deep.equal([`own ${sum}`, `own ${sum}`, `two ${sum}`, `own ${sum}`])
    expect(new Set(answers.map(({ serial }) => serial))).to.deep.equal(new Set([serialIn(there)]))
    const service = http2.createSecureServer({ ...there }, (_, response) => response.end('by HTTP/2'))
    service.listen(0, '127.0.0.1')
    await once(service, 'listening')
    later(() => service.close())
    await client.publish(own((service.address() as AddressInfo).port, { name: 'h2', host: 'h2.own.example.org' }))
    const session = http2.connect(`https://h2.own.example.org:${port}`, {
      ca: ca.cert,
      createConnection: () =>
        tls.connect({
          host: '127.0.0.1',
          port: Number(port),
          servername: 'h2.own.example.org',
          ca: ca.cert,
          ALPNProtocols: ['h2']
        })
    })
    later(() => session.destroy())
    const stream = session.request({ ':path': '/' })
    stream.setEncoding('utf8')
    expect((await once(stream, 'data'))[0]).to.equal('by HTTP/2')
  })

  it('belongs to one tenant, and is free when its client is gone', async () => {
    const server = await serve()
    const client = await join(server, [own(await startOwn('own'))])
    const port = Number(addressOf(client, 'own').port)
    const refused: string[] = []
    server.on('refused', ({ error }) => refused.push(error.code))
    const attacker = await join(server, [], { id: 'attacker', token: otherToken })
    for (const host of ['own.example.org', 'x.own.example.org', '*.example.org']) {
      // It may be free later: the client keeps asking, until it does not want it any more.
      expect(await attacker.publish(own(1, { name: 'attacker', host })), host).to.deep.equal([])
      expect(refused.splice(0), host).to.deep.equal(['proxy.claimed'])
      attacker.unpublish('attacker')
    }
    expect((await askTls(port, 'own.example.org')).body).to.match(/^own /)
    await client.stop({ drain: 0 })
    await until(() => server.proxies.length === 0)
    expect(await failureOf(askTls(port, 'own.example.org'))).to.match(/unrecognized.name/i)
    await attacker.publish(own(await startOwn('heir'), { name: 'heir' }))
    expect((await askTls(port, 'own.example.org')).body).to.match(/^heir /)
  })

  it('belongs to one tenant by http and https together: no other tenant takes the visitors of either', async () => {
    const server = await serve({ redirect: true })
    const local = await startMirror()
    const web = (host: string) => ({ name: `web-${host.replaceAll(/[^a-z]/g, '-')}`, kind: 'http', local, host })
    const hosts = ['shop.test', '*.wild.test', 'deep.below.test']
    const client = await join(server, hosts.map(web))
    const refused: string[] = []
    server.on('refused', ({ error }) => refused.push(error.code))
    const attacker = await join(server, [own(1, { name: 'theirs', host: 'theirs.test' })], {
      id: 'attacker',
      token: otherToken
    })
    for (const host of ['shop.test', 'x.wild.test', '*.wild.test', '*.below.test', '*.test']) {
      expect(await attacker.publish(own(1, { name: 'attacker', host })), host).to.deep.equal([])
      expect(refused.splice(0), host).to.deep.equal(['proxy.claimed'])
      attacker.unpublish('attacker')
    }
    void client.publish(web('theirs.test'))
    await until(() => refused.length > 0)
    expect(refused[0]).to.equal('proxy.claimed')
    expect((await ask(Number(addressOf(client, 'web-shop-test').port), 'shop.test')).status).to.equal(200)
    // Its own it may have both ways.
    const [both] = await client.publish(own(await startOwn('own'), { name: 'both', host: 'shop.test' }))
    expect(both?.address).to.match(/^https:\/\/shop\.test:/)
  })

  it('is reset when the service is not there, without harm to other hosts', async () => {
    const server = await serve()
    const gone = net.createServer().listen(0, '127.0.0.1')
    await once(gone, 'listening')
    const nowhere = (gone.address() as AddressInfo).port
    gone.close()
    const refused: string[] = []
    server.on('refused', ({ error }) => refused.push(error.code))
    const client = await join(server, [
      own(await startOwn('own')),
      own(nowhere, { name: 'gone', host: 'gone.example.org' })
    ])
    const port = Number(addressOf(client, 'own').port)
    expect(await failureOf(askTls(port, 'gone.example.org'))).to.equal('ECONNRESET')
    expect(refused).to.deep.equal(['stream.service-unreachable'])
    expect((await askTls(port, 'own.example.org')).body).to.match(/^own /)
  })

  it('may be a service within the process: a server of TLS, or a function that gets the visitors’ own TLS', async () => {
    const server = await serve()
    const client = await join(server, [])
    const own = https.createServer({ ...there }, (_, response) => response.end('own here'))
    const [web] = await client.expose({ kind: 'https', host: 'own.example.org', handler: own })
    const port = Number(new URL(web?.address ?? '').port)
    expect((await askTls(port, 'own.example.org')).body).to.equal('own here')
    const seen: number[] = []
    await client.expose({
      kind: 'https',
      host: 'raw.own.example.org',
      handler: (stream) => {
        stream.once('data', ([first]: Buffer) => {
          seen.push(first ?? 0)
          stream.end()
        })
      }
    })
    await failureOf(askTls(port, 'raw.own.example.org'))
    expect(seen, 'the first byte of a ClientHello').to.deep.equal([0x16])
  })

  it('is shared out among the members of a group', async () => {
    const server = await serve()
    const members = await Promise.all(
      ['one', 'two'].map(async (id) => join(server, [own(await startOwn(id), { name: id, group: 'web' })], { id }))
    )
    const port = Number(addressOf(members[0] as Client, 'one').port)
    const came = async () => (await askTls(port, 'own.example.org')).body.split(' ')[0]
    expect(new Set([await came(), await came(), await came(), await came()])).to.deep.equal(new Set(['one', 'two']))
    await members[0]?.stop({ drain: 0 })
    await until(() => server.proxies.length === 1)
    expect([await came(), await came()]).to.deep.equal(['two', 'two'])
  })
})
