import { selfSigned } from '@rystra/certificates'
import { expect } from 'chai'
import https from 'node:https'
import net from 'node:net'
import { failure, readAll } from './outcome.js'
import { cleanUp, freePort, httpProxy, serve, serveSocket, socksProxy } from './proxies.js'
import { echo, dial } from './dialed.js'

describe('dialing through a proxy', () => {
  afterEach(cleanUp)

  describe('by HTTP', () => {
    it('keeps what comes right behind the answer, however it is cut', async () => {
      const answer = 'HTTP/1.0 200 OK\r\nServer: x\r\n\r\nwelcome'
      for (const cut of [answer.length, 5, answer.indexOf('welcome'), answer.length - 3]) {
        const port = await serveSocket((socket) => {
          socket.once('data', () => {
            socket.setNoDelay(true)
            socket.write(answer.slice(0, cut), () => setImmediate(() => socket.end(answer.slice(cut))))
          })
        })
        const socket = await dial('a.example', 443, `http://127.0.0.1:${port}`)
        expect(await readAll(socket), `cut at ${cut}`).to.equal('welcome')
      }
    })

    it('takes a head of 16 KiB at most, and stops reading there', async () => {
      let sent = 0
      const port = await serveSocket((socket) => {
        const more = (): void => {
          if (socket.destroyed) return
          sent += 1024
          socket.write(`X-Filler: ${'a'.repeat(1012)}\r\n`, more)
        }
        socket.write('HTTP/1.1 200 OK\r\n', more)
      })
      const error = await failure(dial('a.example', 443, `http://127.0.0.1:${port}`))
      expect(error.detail).to.contain('larger than 16384 bytes')
      expect(sent).to.be.below(8 * 1024 * 1024)
    })

    it('puts an IPv6 address into brackets, and asks as RFC 9110 has it', async () => {
      let requested = ''
      const port = await serveSocket((socket) => {
        socket.on('data', (chunk: Buffer) => {
          requested += chunk
          if (requested.endsWith('\r\n\r\n')) socket.end('HTTP/1.1 403 Forbidden\r\n\r\n')
        })
      })
      const error = await failure(dial('2001:db8::1', 7000, `http://me:pw@127.0.0.1:${port}`))
      expect(error.detail).to.contain('to [2001:db8::1]:7000: proxy answered "HTTP/1.1 403 Forbidden"')
      expect(requested.split('\r\n').slice(0, 2)).to.deep.equal([
        'CONNECT [2001:db8::1]:7000 HTTP/1.1',
        'host: [2001:db8::1]:7000'
      ])
      expect(requested)
        .to.contain('\r\nproxy-authorization: Basic bWU6cHc=\r\n')
        .and.not.to.match(/\r\nconnection:/i)
    })

    it('reports a proxy without Basic authentication', async () => {
      const port = await serveSocket((socket) =>
        socket.resume().end('HTTP/1.1 407 No\r\nProxy-Authenticate: Negotiate\r\nProxy-Authenticate: NTLM\r\n\r\n')
      )
      const error = await failure(dial('a.example', 443, `http://a:b@127.0.0.1:${port}`))
      expect([error.code, error.detail?.includes('does not support Basic')]).to.deep.equal(['connect.proxy-auth', true])
    })

    it('counts nothing but 2xx as a connection', async () => {
      for (const status of ['100 Continue', '101 Switching Protocols', '204 No Content', '302 Found', '503 Busy']) {
        const port = await serveSocket((socket) => {
          socket.once('data', () => socket.end(`HTTP/1.1 ${status}\r\n\r\n`))
        })
        const dialed = dial('a.example', 443, `http://127.0.0.1:${port}`)
        if (status.startsWith('2')) expect(await readAll(await dialed)).to.equal('')
        else expect((await failure(dialed)).detail).to.contain(status)
      }
    })
  })

  describe('by HTTP over TLS', () => {
    const start = async (names: string[]) => {
      const pair = await selfSigned({ keyType: 'ec', commonName: 'proxy', names })
      const server = https.createServer({ ...pair, ALPNProtocols: ['http/1.1'] })
      const seen: (string | undefined)[] = []
      server.on('connect', (request, near: net.Socket) => {
        seen.push(request.headers['proxy-authorization'])
        const [, port] = (request.url ?? '').split(':')
        const far = net.connect({ port: Number(port), host: '127.0.0.1' })
        near.on('error', () => far.destroy())
        far.on('error', () => near.destroy())
        far.once('connect', () => {
          near.write('HTTP/1.1 200 OK\r\n\r\n')
          near.pipe(far)
          far.pipe(near)
        })
      })
      return { port: await serve(server), cert: pair.cert, seen }
    }

    it('carries bytes, and shows the password to the verified proxy only', async () => {
      const { port, cert, seen } = await start(['localhost'])
      const lookup = async () => [{ address: '127.0.0.1', family: 4 }]
      const url = `https://me:pw@localhost:${port}`
      const socket = await dial('127.0.0.1', await echo(), url, { env: {}, lookup, proxyCa: cert })
      const answered = new Promise<string>((resolve) => socket.once('data', (chunk: Buffer) => resolve(String(chunk))))
      socket.write('hello')
      expect(await answered).to.equal('hello')
      expect(seen).to.deep.equal(['Basic bWU6cHc='])
      expect((await failure(dial('127.0.0.1', 1, url, { env: {}, lookup }))).detail).to.contain('not trusted')
      expect(seen).to.have.length(1)
    })

    it('takes no certificate for another host', async () => {
      const { port, cert, seen } = await start(['other.example'])
      const lookup = async () => [{ address: '127.0.0.1', family: 4 }]
      const url = `https://me:pw@localhost:${port}`
      const error = await failure(dial('127.0.0.1', 1, url, { env: {}, lookup, proxyCa: cert }))
      expect([error.code, error.detail?.includes('not trusted')]).to.deep.equal(['connect.proxy', true])
      expect(seen).to.deep.equal([])
    })

    it('says that the proxy does not speak TLS, or closes', async () => {
      const plain = await httpProxy()
      const error = await failure(dial('127.0.0.1', 1, `https://127.0.0.1:${plain.port}`))
      expect([error.code, error.detail?.includes('TLS handshake with the proxy failed')]).to.deep.equal([
        'connect.proxy',
        true
      ])
      const closing = await serveSocket((socket) => socket.end())
      expect((await failure(dial('127.0.0.1', 1, `https://127.0.0.1:${closing}`))).code).to.equal('connect.proxy')
    })
  })

  describe('by SOCKS5', () => {
    it('hands over addresses as they are', async () => {
      const proxy = await socksProxy()
      const url = `socks5://127.0.0.1:${proxy.port}`
      const port = await freePort()
      for (const host of ['127.0.0.1', '::1', '::ffff:127.0.0.1', 'fe80::1:2']) await failure(dial(host, port, url))
      expect(proxy.targets).to.deep.equal([
        `127.0.0.1:${port}`,
        `0000:0000:0000:0000:0000:0000:0000:0001:${port}`,
        `0000:0000:0000:0000:0000:ffff:7f00:0001:${port}`,
        `fe80:0000:0000:0000:0000:0000:0001:0002:${port}`
      ])
    })

    it('looks names up here for socks5://, if it can, and never for socks5h://', async () => {
      const proxy = await socksProxy({ names: ['known.example', 'unknown.example'] })
      const port = await echo()
      const requested: string[] = []
      const lookup = async (host: string) => {
        requested.push(host)
        if (host !== 'known.example') throw Object.assign(new Error('no'), { code: 'ENOTFOUND' })
        return [
          { address: '::1', family: 6 },
          { address: '127.0.0.1', family: 4 }
        ]
      }
      for (const [scheme, name] of [
        ['socks5', 'known.example'],
        ['socks5', 'unknown.example'],
        ['socks5h', 'known.example']
      ] as const)
        await dial(name, port, `${scheme}://127.0.0.1:${proxy.port}`, { env: {}, lookup })
      expect(proxy.targets).to.deep.equal([`127.0.0.1:${port}`, `unknown.example:${port}`, `known.example:${port}`])
      expect(requested).to.deep.equal(['known.example', 'unknown.example'])
    })

    it('does not wait long for a resolver that does not answer', async () => {
      const proxy = await socksProxy({ names: ['server.internal'] })
      const lookup = () => new Promise<never>(() => {})
      const port = await echo()
      const url = `socks5://127.0.0.1:${proxy.port}`
      await dial('server.internal', port, url, { env: {}, lookup, proxyTimeout: 2000 })
      expect(proxy.targets).to.deep.equal([`server.internal:${port}`])
    })

    /** A proxy that says these things, each in answer to one message. */
    const scripted = (...answers: readonly number[][]): Promise<number> =>
      serveSocket((socket) => {
        const left = [...answers]
        socket.on('data', () => {
          const answer = left.shift()
          if (answer === undefined) return
          if (left.length > 0) socket.write(Buffer.from(answer))
          else socket.end(Buffer.from(answer))
        })
      })

    it('reports the reply code as text', async () => {
      for (const [code, words] of [
        [1, 'general SOCKS server failure'],
        [2, 'connection not allowed by ruleset'],
        [3, 'network unreachable'],
        [4, 'host unreachable'],
        [5, 'connection refused'],
        [6, 'TTL expired'],
        [7, 'command not supported'],
        [8, 'address type not supported'],
        [99, 'unknown SOCKS5 reply code 99']
      ] as const) {
        const port = await scripted([5, 0], [5, code, 0, 1, 0, 0, 0, 0, 0, 0])
        const error = await failure(dial('a.example', 1, `socks5h://127.0.0.1:${port}`))
        expect([error.code, error.detail?.endsWith(`: ${words}`)], words).to.deep.equal(['connect.proxy', true])
      }
    })

    it('takes no other version, method or type of address, and no half of an answer', async () => {
      for (const [words, ...answers] of [
        ['does not speak SOCKS5', [4, 0]],
        ['method 1, which was not offered', [5, 1]],
        ['method 2, which was not offered', [5, 2]],
        ['malformed SOCKS5 reply', [5, 0], [0x48, 0x54, 0x54, 0x50]],
        ['unknown SOCKS5 address type 9', [5, 0], [5, 0, 0, 9]],
        ['without an answer', [5]],
        ['within its answer', [5, 0], [5, 0, 0]],
        ['within its answer', [5, 0], [5, 0, 0, 1, 0, 0]],
        ['within its answer', [5, 0], [5, 0, 0, 3, 200, 1]]
      ] as const) {
        const port = await scripted(...(answers as unknown as number[][]))
        const error = await failure(dial('a.example', 1, `socks5h://127.0.0.1:${port}`))
        expect([error.code, error.detail], words).to.satisfy(
          ([code, detail]: string[]) => code === 'connect.proxy' && detail?.includes(words)
        )
      }
    })

    it('keeps what comes right behind the answer, byte by byte too', async () => {
      const bytes = [5, 0, 0, 1, 1, 2, 3, 4, 5, 6, ...Buffer.from('welcome')]
      const port = await serveSocket((socket) => {
        socket.setNoDelay(true)
        socket.once('data', () => {
          socket.write(Buffer.from([5, 0]))
          const slowly = async (): Promise<void> => {
            for (const byte of bytes)
              await new Promise((resolve) => socket.write(Buffer.from([byte]), () => setImmediate(resolve)))
            socket.end()
          }
          socket.once('data', () => void slowly())
        })
      })
      const socket = await dial('a.example', 443, `socks5h://127.0.0.1:${port}`)
      expect(await readAll(socket)).to.equal('welcome')
      const atOnce = await scripted([5, 0], bytes)
      expect(await readAll(await dial('a.example', 443, `socks5h://127.0.0.1:${atOnce}`))).to.equal('welcome')
    })

    it('says that a name is too long for it', async () => {
      const proxy = await socksProxy()
      const error = await failure(dial('a'.repeat(256), 1, `socks5h://127.0.0.1:${proxy.port}`))
      expect([error.code, error.detail?.includes('longer than 255 bytes')]).to.deep.equal(['connect.proxy', true])
    })
  })
})
