import { type KeyPair, selfSigned } from '@rystra/certificates'
import { expect } from 'chai'
import { once } from 'node:events'
import http from 'node:http'
import http2 from 'node:http2'
import net from 'node:net'
import tls from 'node:tls'
import { readClientHello, SharedPorts } from '../src/index.js'
import { failure, readAll, until } from './outcome.js'
import { cleanUp, later, serveSocket } from './proxies.js'
import { listen, connect, answerTo } from './shared-world.js'

describe('a shared port', () => {
  afterEach(cleanUp)

  describe('when listeners come and go', () => {
    it('goes on for the others, and is free when the last has left', async () => {
      const ports = new SharedPorts()
      const one = await listen(ports, 0, { word: 'ONE' })
      const { port } = one.address
      const two = await listen(ports, port, { word: 'TWO' })
      await one.close()
      await one.close()
      expect(await answerTo(port, 'ONE'), 'only one is left, which is not requested').to.equal('TWO here')
      const three = await listen(ports, port, { word: 'THREE' })
      expect(await answerTo(port, 'TWO')).to.equal('TWO here')
      await Promise.all([two.close(), three.close()])
      const other = await listen(new SharedPorts(), port, { word: 'OTHER' })
      expect(await answerTo(port, 'x')).to.equal('OTHER here')
      await other.close()
      const again = await listen(ports, port, { word: 'AGAIN' })
      expect(again.address.port).to.equal(port)
    })

    it('hands undecided connections to the only listener left', async () => {
      const ports = new SharedPorts()
      const { port } = (await listen(ports, 0, { word: 'ONE' })).address
      const two = await listen(ports, port, { word: 'TWO' })
      const silent = await connect(port)
      const begun = await connect(port)
      begun.write('TW')
      await until(() => ports.undecided === 2)
      await two.close()
      expect(await readAll(silent)).to.equal('ONE here')
      expect(await readAll(begun)).to.equal('ONE here')
      expect(ports.undecided).to.equal(0)
    })

    it('loses no connection that comes while they do', async () => {
      const ports = new SharedPorts()
      const { port } = (await listen(ports, 0, { word: 'ONE' })).address
      let going = true
      const churn = (async () => {
        while (going) {
          const listener = await listen(ports, port, { word: 'TWO' })
          await new Promise(setImmediate)
          await listener.close()
        }
      })()
      for (let round = 0; round < 20; round += 1) {
        const answers = await Promise.all(Array.from({ length: 5 }, () => answerTo(port, 'ONE')))
        expect(answers).to.deep.equal(Array(5).fill('ONE here'))
      }
      going = false
      await churn
    })

    it('is left by a signal, whenever it is aborted', async () => {
      const ports = new SharedPorts()
      const { port } = (await listen(ports, 0, { word: 'ONE' })).address
      expect(
        (await failure(listen(ports, port, { word: 'TWO' }, AbortSignal.abort(new Error('enough'))))).code
      ).to.equal('listen.failed')
      const during = new AbortController()
      const joining = failure(listen(ports, port, { word: 'TWO' }, during.signal))
      during.abort()
      expect((await joining).code).to.equal('listen.failed')
      const after = new AbortController()
      await listen(ports, port, { word: 'TWO' }, after.signal)
      expect(await answerTo(port, 'TWO')).to.equal('TWO here')
      after.abort()
      expect(await answerTo(port, 'TWO'), 'one is left, which is not requested').to.equal('ONE here')
    })

    it('shares a bind that is under way, also when its caller aborts', async () => {
      const ports = new SharedPorts()
      const first = await listen(ports, 0, { word: 'X' })
      const { port } = first.address
      await first.close()
      const controller = new AbortController()
      const [given, ...listeners] = await Promise.all([
        failure(listen(ports, port, { word: 'GONE' }, controller.signal)),
        listen(ports, port, { word: 'ONE' }),
        listen(ports, port, { word: 'TWO' }),
        Promise.resolve().then(() => controller.abort())
      ])
      expect(given.code).to.equal('listen.failed')
      expect(await answerTo(port, 'ONE')).to.equal('ONE here')
      expect(await answerTo(port, 'TWO')).to.equal('TWO here')
      await Promise.all(listeners.map((listener) => listener?.close()))
      await (await listen(new SharedPorts(), port, { word: 'X' })).close()
    })

    it('takes a name for the address it has', async () => {
      const ports = new SharedPorts()
      const { address } = await listen(ports, 0, { word: 'ONE', host: 'localhost' })
      await listen(ports, address.port, { word: 'TWO', host: address.host })
      const socket = await connect(address.port, address.host)
      const answer = readAll(socket)
      socket.write('ONE')
      expect(await answer).to.equal('ONE here')
    })

    it('takes an IPv6 address however it is written', async function () {
      const ports = new SharedPorts()
      const one = await listen(ports, 0, { word: 'ONE', host: '::1' }).catch(() => undefined)
      if (one === undefined) return this.skip()
      const { port } = one.address
      await listen(ports, port, { word: 'TWO', host: '0:0:0:0:0:0:0:1' })
      const socket = await connect(port, '::1')
      const answer = readAll(socket)
      socket.write('ONE')
      expect(await answer).to.equal('ONE here')
    })

    it('names the holder of the port: another process, or this server under another address', async () => {
      const foreign = await serveSocket(() => {})
      const ports = new SharedPorts()
      const taken = await failure(listen(ports, foreign, { word: 'ONE' }))
      expect([taken.code, taken.detail]).to.deep.equal(['listen.in-use', `tcp 127.0.0.1:${foreign}`])
      const { port } = (await listen(ports, 0, { word: 'ONE' })).address
      const own = await failure(listen(ports, port, { word: 'TWO', host: '0.0.0.0' }))
      expect(own.code).to.equal('listen.in-use')
      expect(own.detail).to.contain(`tcp 0.0.0.0:${port}: 127.0.0.1:${port} of this server`)
      expect((await failure(listen(ports, port, { word: 'TWO', host: '192.0.2.1' }))).code).to.equal(
        'listen.unavailable'
      )
    })
  })

  describe('carries on with what Node makes of a socket', () => {
    let pair: KeyPair
    before(async () => {
      pair = await selfSigned({ keyType: 'ec', commonName: 'localhost', names: ['localhost'] })
    })

    /** A port with one member that wants the word, and one that gets all else. */
    const nextTo = async (word: string, onSocket: (socket: net.Socket) => void): Promise<number> => {
      const ports = new SharedPorts()
      const { port } = (
        await listen(ports, 0, { word, recognises: (head) => !head.toString().startsWith('RYS'), onSocket })
      ).address
      await listen(ports, port, { word: 'RYS' })
      return port
    }

    it('TLS, reported apart by ALPN, its first bytes in pieces or whole', async () => {
      const ports = new SharedPorts()
      const wants =
        (protocol: string) =>
        (head: Buffer): boolean | undefined => {
          const hello = readClientHello(head)
          return hello === undefined ? undefined : (hello?.alpn.includes(protocol) ?? false)
        }
      const server = (protocol: string): tls.Server =>
        tls.createServer({ ...pair, ALPNProtocols: [protocol] }, (socket) => {
          socket.on('error', () => {})
          socket.once('data', (chunk: Buffer) => socket.end(`${protocol} got ${chunk}`))
        })
      const servers = { a: server('a'), b: server('b') }
      const { port } = (await listen(ports, 0, { word: 'RYS' })).address
      for (const name of ['a', 'b'] as const) {
        const onSocket = (socket: net.Socket): void => void servers[name].emit('connection', socket)
        await listen(ports, port, { recognises: wants(name), onSocket })
      }
      for (const pieces of [1, 40]) {
        for (const protocol of ['a', 'b']) {
          const hop = await slicing(port, pieces)
          const socket = tls.connect({ port: hop, ca: pair.cert, servername: 'localhost', ALPNProtocols: [protocol] })
          later(() => socket.destroy())
          await once(socket, 'secureConnect')
          const answer = readAll(socket)
          socket.write('hello')
          expect(await answer).to.equal(`${protocol} got hello`)
        }
      }
      expect(await answerTo(port, 'RYS')).to.equal('RYS here')
      const client = tls.connect({ port, servername: 'localhost', ALPNProtocols: ['z'] })
      const [error] = (await once(client, 'error')) as [NodeJS.ErrnoException]
      expect(error.code).to.match(/UNEXPECTED_MESSAGE/)
    })

    /** A hop that passes on the first bytes in so many pieces. */
    const slicing = (port: number, pieces: number): Promise<number> =>
      serveSocket((near) => {
        const far = net.connect({ port, noDelay: true })
        far.on('error', () => near.destroy())
        const slice = async (first: Buffer): Promise<void> => {
          near.pause()
          const size = Math.ceil(first.length / pieces)
          for (let at = 0; at < first.length; at += size)
            await new Promise((resolve) => far.write(first.subarray(at, at + size), () => setImmediate(resolve)))
          near.pipe(far)
        }
        near.once('data', (first: Buffer) => void slice(first))
        far.pipe(near)
      })

    it('HTTP', async () => {
      const server = http.createServer((request, response) => {
        request.setEncoding('utf8')
        let body = ''
        request.on('data', (chunk: string) => {
          body += chunk
        })
        request.on('end', () => response.end(`${request.method} ${body.length}`))
      })
      const port = await nextTo('HTTP', (socket) => void server.emit('connection', socket))
      for (const length of [0, 200_000]) {
        const request = http.request({ port, host: '127.0.0.1', method: 'POST', agent: false })
        request.end('x'.repeat(length))
        const [response] = (await once(request, 'response')) as [http.IncomingMessage]
        const chunks: Buffer[] = []
        for await (const chunk of response) chunks.push(chunk as Buffer)
        expect(Buffer.concat(chunks).toString()).to.equal(`POST ${length}`)
      }
      server.close()
    })

    it('HTTP/2 without TLS', async () => {
      const server = http2.createServer((request, response) => request.pipe(response))
      const port = await nextTo('h2c', (socket) => void server.emit('connection', socket))
      const session = http2.connect(`http://127.0.0.1:${port}`)
      later(() => session.destroy())
      const stream = session.request({ ':method': 'POST', ':path': '/' })
      const chunks: Buffer[] = []
      stream.on('data', (chunk: Buffer) => chunks.push(chunk))
      stream.end('y'.repeat(50_000))
      await once(stream, 'end')
      expect(Buffer.concat(chunks).length).to.equal(50_000)
      server.close()
    })
  })
})
