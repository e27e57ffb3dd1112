import { rawOf } from '@rystra/bytes'
import { expect } from 'chai'
import net from 'node:net'
import { inspect } from 'node:util'
import { failure, until } from './outcome.js'
import { cleanUp, freePort, serveSocket } from './proxies.js'
import { echo, dial, exchange, listenersOf, makers } from './dialed.js'

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
})
