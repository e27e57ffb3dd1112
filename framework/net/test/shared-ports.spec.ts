import { rawOf } from '@rystra/bytes'
import { type KeyPair, selfSigned } from '@rystra/certificates'
import type { Listener, TcpListening } from '@rystra/plugin'
import { expect } from 'chai'
import { once } from 'node:events'
import http from 'node:http'
import http2 from 'node:http2'
import net from 'node:net'
import tls from 'node:tls'
import { readClientHello, SharedPorts } from '../src/index.js'
import { failure, never, readAll, until } from './outcome.js'
import { cleanUp, later, serveSocket } from './proxies.js'

type Member = Partial<TcpListening> & { readonly word?: string }

/** Wants what begins with a word. */
const begins =
  (word: string) =>
  (head: Buffer): boolean | undefined => {
    const length = Math.min(head.length, word.length)
    if (head.toString('latin1', 0, length) !== word.slice(0, length)) return false
    return length === word.length ? true : undefined
  }

const listen = async (ports: SharedPorts, port: number, member: Member, signal = never): Promise<Listener> => {
  const listener = await ports.listenTcp(
    {
      host: '127.0.0.1',
      port,
      recognises: begins(member.word ?? ''),
      onSocket: (socket) => {
        socket.on('error', () => {})
        later(() => socket.destroy())
        socket.end(`${member.word} here`)
      },
      ...member
    },
    signal
  )
  later(() => listener.close())
  return listener
}

const connect = async (port: number, host = '127.0.0.1'): Promise<net.Socket> => {
  const socket = net.connect({ port, host, allowHalfOpen: true })
  socket.on('error', () => {})
  later(() => socket.destroy())
  await once(socket, 'connect')
  return socket
}

/** Resolves when the other side has closed, or reset. */
const gone = (socket: net.Socket): Promise<void> =>
  new Promise((resolve) => {
    if (socket.readableEnded || socket.destroyed) resolve()
    socket.resume()
    socket.once('end', resolve)
    socket.once('close', () => resolve())
  })

/** The answer to a peer whose first bytes are these. */
const answerTo = async (port: number, ...pieces: string[]): Promise<string> => {
  const socket = await connect(port)
  const answer = readAll(socket)
  socket.setNoDelay(true)
  for (const piece of pieces) await new Promise((resolve) => socket.write(piece, 'latin1', () => setImmediate(resolve)))
  return answer
}

describe('a shared port', () => {
  afterEach(cleanUp)

  it('gives a connection to the listener that recognises its first bytes, also one byte at a time', async () => {
    const ports = new SharedPorts()
    const { address } = await listen(ports, 0, { word: 'ONE' })
    const second = await listen(ports, address.port, { word: 'TWO' })
    await listen(ports, address.port, { word: 'THREE' })
    expect(second.address).to.deep.equal(address)
    expect(await answerTo(address.port, 'ONE')).to.equal('ONE here')
    expect(await answerTo(address.port, 'TWO!')).to.equal('TWO here')
    expect(await answerTo(address.port, ...'THREE')).to.equal('THREE here')
    expect(ports.undecided).to.equal(0)
  })

  it('asks the latest listener first and waits while it needs more bytes', async () => {
    const ports = new SharedPorts()
    const { address } = await listen(ports, 0, { word: 'any', recognises: () => true })
    await listen(ports, address.port, { word: 'ABC' })
    const socket = await connect(address.port)
    const answer = readAll(socket)
    socket.write('AB')
    await until(() => ports.undecided === 1)
    socket.write('C')
    expect(await answer).to.equal('ABC here')
    expect(await answerTo(address.port, 'AB', 'D')).to.equal('any here')
  })

  it('reads nothing for a single listener: the server may speak first', async () => {
    const ports = new SharedPorts()
    let requested = 0
    const recognises = (): boolean => {
      requested += 1
      return false
    }
    const { address } = await listen(ports, 0, { word: 'ONE', recognises })
    expect(await readAll(await connect(address.port))).to.equal('ONE here')
    expect(requested).to.equal(0)
  })

  it('puts back all it read, in order, before the end', async () => {
    const ports = new SharedPorts()
    const taken: net.Socket[] = []
    const { address } = await listen(ports, 0, { word: 'X' })
    await listen(ports, address.port, { word: 'ABC', onSocket: (socket) => taken.push(socket) })
    const bytes = Buffer.concat([Buffer.from('ABC'), Buffer.alloc(300_000, 'z')])
    for (const sort of ['events', 'raw'] as const) {
      const socket = await connect(address.port)
      socket.write('A')
      await until(() => ports.undecided === 1)
      socket.end(bytes.subarray(1))
      await until(() => taken.length === 1)
      const far = taken.pop() as net.Socket
      later(() => far.destroy())
      expect([far.constructor, far.allowHalfOpen]).to.deep.equal([net.Socket, true])
      expect(far.listenerCount('error') + far.listenerCount('readable')).to.equal(0)
      // Of the count of open connections.
      expect(far.listenerCount('close')).to.equal(1)
      if (sort === 'events') expect(await readAll(far)).to.equal(bytes.toString('latin1'))
      else {
        const raw = rawOf(far)
        expect(raw.constructor.name).to.equal('RawSocket')
        const all = await new Promise<string>((resolve) => {
          let text = ''
          raw.read({
            onBytes: (buffer, from, to) => {
              text += buffer.toString('latin1', from, to)
              return true
            },
            onEnd: () => resolve(text)
          })
        })
        expect(all === bytes.toString('latin1'), 'by the fast path').to.equal(true)
      }
    }
  })

  it('refuses unrecognised HTTP and TLS in their own protocol and closes other connections', async () => {
    const ports = new SharedPorts()
    const { address } = await listen(ports, 0, { word: 'ONE' })
    await listen(ports, address.port, { word: 'TWO' })
    expect(await answerTo(address.port, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n')).to.match(
      /^HTTP\/1\.1 400 Bad Request\r\n.*This port speaks the Rystra protocol/s
    )
    expect(await answerTo(address.port, '\x16\x03\x01\x02')).to.equal('\x15\x03\x01\0\x02\x02\x0a')
    const socket = await connect(address.port)
    socket.write('SSH-2.0-x\r\n')
    await gone(socket)
    expect(ports.undecided).to.equal(0)
  })

  it('treats a listener that throws as one that does not recognise the bytes', async () => {
    const ports = new SharedPorts()
    const { address } = await listen(ports, 0, { word: 'ONE' })
    const recognises = (): boolean => {
      throw new Error('a slip')
    }
    await listen(ports, address.port, { word: 'TWO', recognises })
    expect(await answerTo(address.port, 'ONE')).to.equal('ONE here')
  })

  describe('with undecided connections', () => {
    it('closes silent and slow connections', async () => {
      const ports = new SharedPorts({ timeout: 30 })
      const { address } = await listen(ports, 0, { word: 'ONE' })
      await listen(ports, address.port, { word: 'TWO' })
      const silent = await connect(address.port)
      const slow = await connect(address.port)
      slow.write('T')
      await Promise.all([gone(silent), gone(slow)])
      expect(ports.undecided).to.equal(0)
    })

    it('gives the connection at the timeout to a listener that recognises it', async () => {
      const ports = new SharedPorts({ timeout: 30 })
      const { address } = await listen(ports, 0, { word: 'any', recognises: () => true })
      await listen(ports, address.port, { word: 'ABC' })
      expect(await answerTo(address.port, 'AB')).to.equal('any here')
    })

    it('reads at most 16 KiB', async () => {
      const ports = new SharedPorts()
      let most = 0
      const recognises = (head: Buffer): undefined => {
        most = Math.max(most, head.length)
        return undefined
      }
      const { address } = await listen(ports, 0, { word: 'ONE', recognises })
      await listen(ports, address.port, { word: 'TWO', recognises })
      const socket = await connect(address.port)
      socket.write(Buffer.alloc(1_000_000, 'x'))
      await gone(socket)
      expect(most).to.equal(16_384)
    })

    it('evicts the oldest at the limit', async () => {
      const ports = new SharedPorts({ undecided: 3 })
      const { address } = await listen(ports, 0, { word: 'ONE' })
      await listen(ports, address.port, { word: 'TWO' })
      const sockets: net.Socket[] = []
      for (let count = 1; count <= 3; count += 1) {
        sockets.push(await connect(address.port))
        await until(() => ports.undecided === count)
      }
      const [oldest, next] = sockets as [net.Socket, net.Socket]
      expect(await answerTo(address.port, 'TWO')).to.equal('TWO here')
      await gone(oldest)
      expect(ports.undecided).to.equal(2)
      const answer = readAll(next)
      next.write('ONE')
      expect(await answer).to.equal('ONE here')
    })

    it('forgets connections that end or are reset', async () => {
      const ports = new SharedPorts()
      const { address } = await listen(ports, 0, { word: 'ONE' })
      await listen(ports, address.port, { word: 'TWO' })
      for (const leave of [(socket: net.Socket) => socket.end(), (socket: net.Socket) => socket.resetAndDestroy()]) {
        const socket = await connect(address.port)
        socket.write('T')
        await until(() => ports.undecided === 1)
        leave(socket.resume())
        await until(() => ports.undecided === 0)
      }
    })
  })

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
      pair = await selfSigned({ commonName: 'localhost', names: ['localhost'], bits: 2048 })
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
