import { freePort } from '@rystra/testkit'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import type net from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import tls from 'node:tls'
import { defineExtension, Type } from '@rystra/plugin'
import { selfSigned } from '@rystra/certificates'
import { dialTcp } from '@rystra/net'
import transportTls from '@rystra/transport-tls'
import transportWs from '@rystra/transport-ws'
import { expect } from 'chai'
import {
  ask,
  cleanUp,
  echo,
  later,
  makeClient,
  readAll,
  serverConfig,
  startClient,
  startServer,
  startService,
  visit,
  visitorPort
} from './tunnel.js'

const linkOf = (socket: net.Socket) => ({
  kind: 'bytes' as const,
  duplex: socket,
  peer: { address: socket.remoteAddress ?? 'gone', port: socket.remotePort ?? 0 }
})

/** A transport that begins with a word, and takes connections that begin with the word of its entry. */
const prefixing = defineExtension({
  name: 'prefixing',
  setup({ registries }) {
    const word = { word: Type.String() }
    registries.transports.add({
      name: 'prefixed',
      listenOptions: Type.Object(word),
      dialOptions: Type.Object(word),
      listen: (entry, onLink, signal, host) => {
        const expected = Buffer.from(String(entry['word']))
        return host.listenTcp(
          {
            host: entry.host,
            port: entry.port,
            recognises: (head) => {
              const length = Math.min(head.length, expected.length)
              if (!head.subarray(0, length).equals(expected.subarray(0, length))) return false
              return length === expected.length ? true : undefined
            },
            onSocket: (socket) => {
              const take = (): void => {
                const head = socket.read(expected.length) as Buffer | null
                if (head === null) return
                socket.removeListener('readable', take)
                socket.removeListener('error', ignore)
                if (head.equals(expected)) onLink(linkOf(socket))
                else socket.destroy()
              }
              const ignore = (): void => {}
              socket.on('error', ignore)
              socket.on('readable', take)
            }
          },
          signal
        )
      },
      dial: async (to, signal) => {
        const socket = await dialTcp({ host: to.host, port: to.port }, signal)
        socket.write(String(to['word']))
        return linkOf(socket)
      }
    })
  }
})

const withPrefix = (port: number, word: string, muxer = 'yamux') => ({
  id: word,
  connect: { transport: 'prefixed', host: '127.0.0.1', port, word, muxer }
})

const entries = (port: number, ...words: string[]) => [
  { transport: 'tcp', host: '127.0.0.1', port },
  ...words.map((word) => ({ transport: 'prefixed', host: '127.0.0.1', port, word }))
]

describe('one port for several transports', () => {
  afterEach(cleanUp)

  it('takes the clients of each, and their data links', async () => {
    const port = await freePort()
    const service = await startService(echo)
    const server = await startServer({ listen: entries(port, 'open sesame') }, [prefixing])
    expect(server.listening.map(({ transport, port }) => [transport, port])).to.deep.equal([
      ['tcp', port],
      ['prefixed', port]
    ])
    const svc = (name: string) => [{ name, kind: 'tcp', local: `127.0.0.1:${service}` }]
    for (const muxer of ['yamux', 'direct']) {
      const plain = await startClient(port, svc(`plain-${muxer}`), { id: `plain-${muxer}`, muxer })
      const other = await startClient(port, svc(`other-${muxer}`), { ...withPrefix(port, 'open sesame', muxer) }, [
        prefixing
      ])
      const text = 'x'.repeat(300_000)
      expect(await ask(visitorPort(plain, `plain-${muxer}`), text)).to.equal(text)
      expect(await ask(visitorPort(other, `other-${muxer}`), text)).to.equal(text)
      await other.stop({ drain: 0 })
    }
    expect(server.sessions.map(({ transport }) => transport)).to.deep.equal(['tcp', 'tcp'])
  })

  it('goes on while one of its entries is changed, added or removed', async () => {
    const port = await freePort()
    const service = await startService(echo)
    const server = await startServer({ listen: entries(port, 'one') }, [prefixing])
    const svc = (name: string) => [{ name, kind: 'tcp', local: `127.0.0.1:${service}` }]
    const plain = await startClient(port, svc('plain'), { id: 'plain' })
    const first = await startClient(port, svc('first'), withPrefix(port, 'one'), [prefixing])

    const changed = await server.reload(serverConfig({ listen: entries(port, 'two') }, [prefixing]))
    expect(changed).to.be.an('object')
    const second = await startClient(port, svc('second'), withPrefix(port, 'two'), [prefixing])
    for (const [client, name] of [
      [plain, 'plain'],
      [first, 'first'],
      [second, 'second']
    ] as const)
      expect(await ask(visitorPort(client, name), name)).to.equal(name)

    await server.reload(serverConfig({ listen: entries(port, 'two', 'three').slice(1) }, [prefixing])).then(
      () => expect.fail('the same transport twice on one address'),
      (error: { code: string; message: string }) => {
        expect(error.code).to.equal('config.invalid')
        expect(error.message).to.contain('server.listen[1]').and.contain('an address that no other entry has')
      }
    )
    await server.reload(serverConfig({ listen: entries(port) }, [prefixing]))
    expect(server.listening.map(({ transport }) => transport)).to.deep.equal(['tcp'])
    expect(await ask(visitorPort(plain, 'plain'), 'still')).to.equal('still')
    await server.reload(serverConfig({ listen: entries(port, 'four').slice(1) }, [prefixing]))
    await startClient(port, svc('fourth'), withPrefix(port, 'four'), [prefixing])
  })

  it('presents the certificate of each, with keys of two types', async () => {
    const dir = mkdtempSync(path.join(tmpdir(), 'rystra-one-port-'))
    later(() => rmSync(dir, { recursive: true }))
    const pair = async (keyType: 'rsa' | 'ec'): Promise<{ cert: string; key: string }> => {
      const { cert, key } = await selfSigned({ commonName: 'localhost', keyType })
      for (const [name, text] of Object.entries({ cert, key }))
        writeFileSync(path.join(dir, `${keyType}.${name}`), text)
      return { cert: path.join(dir, `${keyType}.cert`), key: path.join(dir, `${keyType}.key`) }
    }
    const pairs = { rsa: await pair('rsa'), ec: await pair('ec') }
    for (const [first, second] of [
      ['rsa', 'ec'],
      ['ec', 'rsa']
    ] as const) {
      const port = await freePort()
      const at = { host: '127.0.0.1', port }
      const listen = [
        { transport: 'tls', ...at, ...pairs[first] },
        { transport: 'wss', ...at, ...pairs[second] }
      ]
      const server = await startServer({ listen }, [transportTls, transportWs])
      for (const [alpn, keyType] of [
        ['rystra/1', first],
        ['http/1.1', second]
      ] as const) {
        const options = { ...at, servername: 'localhost', ALPNProtocols: [alpn], rejectUnauthorized: false }
        const socket = tls.connect(options).on('error', () => {})
        later(() => socket.destroy())
        await once(socket, 'secureConnect')
        expect(socket.getPeerX509Certificate()?.publicKey.asymmetricKeyType, alpn).to.equal(keyType)
      }
      await server.stop({ drain: 0 })
    }
  })

  it('is free when the server has stopped', async () => {
    const port = await freePort()
    const server = await startServer({ listen: entries(port, 'one') }, [prefixing])
    await server.stop({ drain: 0 })
    await startServer({ listen: entries(port) })
  })
})

describe('a browser or a scanner', () => {
  afterEach(cleanUp)

  for (const shared of [false, true]) {
    const where = shared ? 'a port that several transports share' : 'a port of one transport'
    const start = async (): Promise<number> => {
      const port = await freePort()
      await startServer({ listen: shared ? entries(port, 'one') : entries(port) }, [prefixing])
      return port
    }

    it(`is refused in HTTP at ${where}`, async () => {
      const port = await start()
      for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'OPTIONS', 'DELETE']) {
        const request = http.request({ host: '127.0.0.1', port, method, agent: false })
        request.end(method === 'POST' ? 'a form' : undefined)
        const [response] = (await once(request, 'response')) as [http.IncomingMessage]
        expect([response.statusCode, response.headers['content-type']], method).to.deep.equal([
          400,
          'text/plain; charset=utf-8'
        ])
        let body = ''
        for await (const chunk of response) body += String(chunk)
        expect(body, method).to.equal(method === 'HEAD' ? '' : 'This port speaks the Rystra protocol, not HTTP.\n')
      }
    })

    it(`is refused in TLS at ${where}`, async () => {
      const port = await start()
      for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
        const socket = tls.connect({ host: '127.0.0.1', port, minVersion: version, maxVersion: version })
        const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException]
        expect(error.code, version).to.match(/ALERT_UNEXPECTED_MESSAGE|UNEXPECTED_MESSAGE/)
      }
    })

    it(`gets nothing at ${where} if it speaks something else`, async () => {
      const port = await start()
      const socket = await visit(port)
      const answer = readAll(socket)
      socket.write('EHLO scanner.example\r\n')
      expect(String(await answer)).to.equal('')
    })
  }
})

describe('a client of plain TCP at the wrong port', () => {
  afterEach(cleanUp)

  it('is told that it is a TLS port, or a web server', async () => {
    const tlsPort = await startService((socket) => {
      // What a TLS server says to bytes that are not TLS.
      socket.once('data', () => socket.end(Buffer.from([0x15, 3, 1, 0, 2, 2, 0x46])))
    })
    const webPort = await startService((socket) => {
      socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n'))
    })
    for (const [port, detail, hint] of [
      [tlsPort, 'it speaks TLS', /tls, wss or http2/],
      [webPort, 'an HTTP server answered: HTTP/1.1 400 Bad Request', /ws or wss/]
    ] as const) {
      const error = await startClient(port, []).then(
        () => expect.fail('it connected'),
        (thrown) => thrown
      )
      expect([error.code, error.detail]).to.deep.equal(['protocol.not-rystra', detail])
      expect(error.hint).to.match(hint)
    }
  })

  it('is told what it may mean that a TLS server closes without a word', async () => {
    const pair = await selfSigned({ keyType: 'ec', commonName: 'localhost' })
    const server = tls.createServer(pair)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    later(() => server.close())
    const client = await makeClient((server.address() as net.AddressInfo).port, [])
    const again = once(client, 'reconnecting')
    void client.start().catch(() => {})
    const [{ error }] = await again
    expect(error.code).to.equal('session.lost')
    expect(error.detail).to.contain('as a TLS port does with plain TCP')
  })
})
