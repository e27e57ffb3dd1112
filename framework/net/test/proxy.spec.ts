import { rawOf } from '@rystra/bytes'
import { selfSigned } from '@rystra/certificates'
import { expect } from 'chai'
import https from 'node:https'
import net from 'node:net'
import { inspect } from 'node:util'
import { type DialEnvironment, dialTcp } from '../src/index.js'
import { failure, never, readAll, until } from './outcome.js'
import {
  cleanUp,
  freePort,
  httpProxy,
  later,
  type ProxyOptions,
  serve,
  serveSocket,
  socksProxy,
  type TestProxy
} from './proxies.js'

const echo = (): Promise<number> => serveSocket((socket) => socket.pipe(socket))

const dial = async (
  host: string,
  port: number,
  proxy?: string,
  world: DialEnvironment = { env: {} },
  signal = never
): Promise<net.Socket> => {
  const socket = await dialTcp({ host, port, ...(proxy === undefined ? {} : { proxy }) }, signal, world)
  later(() => socket.destroy())
  return socket
}

/** Sends, ends, and reads what comes back: both directions, and a half-close. */
const exchange = (socket: net.Socket, text: string): Promise<string> => {
  const all = readAll(socket)
  socket.end(text)
  return all
}

const listenersOf = (socket: net.Socket): string[] =>
  socket.eventNames().flatMap((name) => {
    const { length } = socket.listeners(name)
    return length === 0 || name === 'end' ? [] : [`${String(name)} ${length}`]
  })

const makers: readonly (readonly [string, (options?: ProxyOptions) => Promise<TestProxy>])[] = [
  ['http', httpProxy],
  ['socks5h', socksProxy]
]

describe('dialing through a proxy', () => {
  afterEach(cleanUp)

  for (const [scheme, start] of makers) {
    describe(scheme, () => {
      it('carries bytes and ends, for a name that the proxy alone knows', async () => {
        const proxy = await start({ names: ['server.internal'] })
        const port = await echo()
        const socket = await dial('server.internal', port, `${scheme}://127.0.0.1:${proxy.port}`)
        expect(socket.constructor, 'a bare socket').to.equal(net.Socket)
        expect(socket.allowHalfOpen).to.equal(true)
        expect(listenersOf(socket), 'nothing of the proxy hangs on it').to.deep.equal([])
        expect(await exchange(socket, 'hello')).to.equal('hello')
        expect(proxy.targets).to.deep.equal([`server.internal:${port}`])
      })

      it('leaves a socket that can be read without a copy', async () => {
        const proxy = await start()
        const socket = await dial('127.0.0.1', await echo(), `${scheme}://127.0.0.1:${proxy.port}`)
        const raw = rawOf(socket)
        expect(raw.constructor.name).to.equal('RawSocket')
        const ended = new Promise<string>((resolve) => {
          let text = ''
          raw.read({
            onBytes: (buffer, from, to) => {
              text += buffer.toString('latin1', from, to)
              return true
            },
            onEnd: () => resolve(text)
          })
        })
        raw.write(Buffer.from('hello'), 0, 5, false)
        raw.end()
        expect(await ended).to.equal('hello')
      })

      it('shows credentials, with signs in them that URLs have a meaning for', async () => {
        const credentials = { user: 'ann@home', password: 'p:a/s%s @#?ü' }
        const proxy = await start({ credentials })
        const written = `${encodeURIComponent(credentials.user)}:${encodeURIComponent(credentials.password)}`
        const socket = await dial('127.0.0.1', await echo(), `${scheme}://${written}@127.0.0.1:${proxy.port}`)
        expect(await exchange(socket, 'hello')).to.equal('hello')
      })

      it('reports missing and refused credentials without their value', async () => {
        const proxy = await start({ credentials: { user: 'ann', password: 'right' } })
        const missing = await failure(dial('127.0.0.1', 1, `${scheme}://127.0.0.1:${proxy.port}`))
        expect(missing.code).to.equal('connect.proxy-auth')
        expect(missing.detail).to.contain('requires credentials')
        expect(missing.retryable).to.equal(false)
        const wrong = await failure(dial('127.0.0.1', 1, `${scheme}://ann:wr0ng-secret@127.0.0.1:${proxy.port}`))
        expect(wrong.code).to.equal('connect.proxy-auth')
        expect(wrong.detail).to.contain('proxy refused the credentials')
        expect(inspect(wrong, { depth: 9 })).not.to.contain('wr0ng')
      })

      it('says that the proxy cannot reach the server', async () => {
        const proxy = await start()
        const port = await freePort()
        const error = await failure(dial('127.0.0.1', port, `${scheme}://127.0.0.1:${proxy.port}`))
        expect(error.code).to.equal('connect.proxy')
        expect(error.detail).to.equal(
          `${scheme}://127.0.0.1:${proxy.port} to 127.0.0.1:${port}: ` +
            (scheme === 'http' ? 'proxy answered "HTTP/1.1 502 Bad Gateway"' : 'connection refused')
        )
        expect(error.retryable).to.equal(true)
      })

      it('says that the proxy itself cannot be reached', async () => {
        const port = await freePort()
        const error = await failure(dial('server.internal', 443, `${scheme}://u:secret@127.0.0.1:${port}`))
        expect([error.code, error.detail]).to.deep.equal([
          'connect.proxy',
          `${scheme}://127.0.0.1:${port} to server.internal:443: connection refused`
        ])
      })

      it('times out on a silent proxy and closes the connection', async () => {
        const ends: string[] = []
        const port = await serveSocket((socket) => socket.resume().once('end', () => ends.push('ended')))
        const error = await failure(
          dial('a.example', 443, `${scheme}://127.0.0.1:${port}`, { env: {}, proxyTimeout: 20 })
        )
        expect(error.code).to.equal('connect.proxy')
        expect(error.detail).to.contain('proxy did not answer within 0.02 s')
        await until(() => ends.length > 0)
      })

      it('stops when its signal aborts before the proxy answers', async () => {
        const controller = new AbortController()
        const ends: string[] = []
        const port = await serveSocket((socket) => {
          socket.once('data', () => controller.abort(new Error('enough')))
          socket.once('end', () => ends.push('ended')).once('close', () => ends.push('closed'))
        })
        const error = await failure(
          dial('a.example', 443, `${scheme}://127.0.0.1:${port}`, { env: {} }, controller.signal)
        )
        expect([error.code, error.detail]).to.deep.equal(['connect.unreachable', 'tcp a.example:443, enough'])
        await until(() => ends.length > 0)
      })

      it('shows what a server that is no proxy answered', async () => {
        for (const [said, seen] of [
          ['SSH-2.0-OpenSSH_9.9\r\n', '"SSH-2.0-OpenSSH_9.9"'],
          ['\x15\x03\x01\0\x02\x02\x46', 'bytes 15030100020246']
        ] as const) {
          const port = await serveSocket((socket) => socket.resume().end(Buffer.from(said, 'latin1')))
          const error = await failure(dial('a.example', 443, `${scheme}://127.0.0.1:${port}`))
          expect(error.code).to.equal('connect.proxy')
          expect(error.detail)
            .to.contain(`proxy does not speak ${scheme === 'http' ? 'HTTP' : 'SOCKS5'}`)
            .and.contain(seen)
        }
      })

      it('says that it was closed without an answer, or reset', async () => {
        for (const close of [(socket: net.Socket) => socket.end(), (socket: net.Socket) => socket.resetAndDestroy()]) {
          const port = await serveSocket((socket) => {
            socket.once('data', () => close(socket))
          })
          const error = await failure(dial('a.example', 443, `${scheme}://127.0.0.1:${port}`))
          expect(error.code).to.equal('connect.proxy')
          expect(error.detail).to.match(/closed the connection|reset/)
        }
      })

      it('does not repeat credentials that a proxy sends back', async () => {
        const basic = Buffer.from('ann:s3cret').toString('base64')
        for (const said of [`HTTP/1.1 400 ann:s3cret ${basic}\r\n\r\n`, `Basic ${basic} s3cret\r\n`]) {
          const port = await serveSocket((socket) => socket.resume().end(said))
          const error = await failure(dial('a.example', 443, `${scheme}://ann:s3cret@127.0.0.1:${port}`))
          expect(error.detail).to.contain('[redacted]')
          expect(inspect(error, { depth: 9 }))
            .not.to.contain('s3cret')
            .and.not.to.contain(basic)
        }
        const mirror = await echo()
        const error = await failure(dial('a.example', 443, `${scheme}://ann:s3cret@127.0.0.1:${mirror}`))
        expect(error.code).to.match(/^connect\.proxy/)
        expect(inspect(error, { depth: 9 }))
          .not.to.contain('s3cret')
          .and.not.to.contain(basic)
      })

      it('leaves nothing on the signal, nor a warning', async () => {
        const proxy = await start()
        const port = await echo()
        const warnings: unknown[] = []
        const warned = (warning: unknown): void => void warnings.push(warning)
        process.on('warning', warned)
        const { signal } = new AbortController()
        for (let count = 0; count < 15; count += 1)
          await dial('127.0.0.1', port, `${scheme}://127.0.0.1:${proxy.port}`, { env: {} }, signal)
        await new Promise(setImmediate)
        process.removeListener('warning', warned)
        expect(warnings).to.deep.equal([])
      })
    })
  }

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
      const pair = await selfSigned({ commonName: 'proxy', names })
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
