import { until } from '@rystra/testkit'
import { expect } from 'chai'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import net from 'node:net'
import { ConnectionStream } from '../src/index.js'
import { cleanUp, connections, needsNative, Reading, resetFrom, send, sockets } from './connections.js'

describe('the stream of a connection without a socket of Node', () => {
  needsNative()
  afterEach(cleanUp)

  for (const [end, connect] of Object.entries(connections)) {
    describe(end, () => {
      it('delivers bytes and the end, and closes cleanly when both sides have ended', async () => {
        const before = sockets()
        const { stream, far } = await connect()
        const reading = new Reading(stream)
        let released = 0
        stream.onReleased = () => {
          released += 1
        }
        far.end('from afar')
        await until(() => reading.ended, 'the end')
        expect(reading).to.include({ text: 'from afar', closed: false })
        const [answer] = await Promise.all([once(far, 'data'), Promise.resolve(send(stream, 'late'))])
        expect(String(answer[0])).to.equal('late')
        stream.end()
        await once(far, 'end')
        await until(() => reading.closed, 'the close')
        expect(reading.error).to.equal(undefined)
        expect([released, stream.closed]).to.deep.equal([1, true])
        cleanUp()
        await until(() => sockets().length === before.length, 'the descriptors to come back')
      })

      it('reads nothing between pause and resume, and loses nothing', async () => {
        const { stream, far } = await connect()
        const reading = new Reading(stream)
        far.write('one')
        await until(() => reading.text === 'one', 'the first')
        stream.pause()
        far.end('two')
        await once(far, 'finish')
        await new Promise(setImmediate)
        expect(reading).to.include({ text: 'one', ended: false })
        stream.resume()
        await until(() => reading.ended, 'the end')
        expect(reading.text).to.equal('onetwo')
      })

      it('stops when its reader says so, keeps what was put back, and gives both to the next reader', async () => {
        const { stream, far } = await connect()
        const reading = new Reading(stream)
        reading.verdict = false
        far.write('head')
        await until(() => reading.text === 'head', 'the first')
        far.end('rest')
        stream.unread(Buffer.from('ad'))
        const next = new Reading(stream)
        await until(() => next.ended, 'the end')
        expect(next.text).to.equal('adrest')
        expect(reading.text).to.equal('head')
      })

      it('carries 8 MiB each way at once, and becomes a socket of Node meanwhile', async () => {
        const { stream, far } = await connect()
        const bytes = randomBytes(8 * 1024 * 1024)
        const reading = new Reading(stream)
        const back: Buffer[] = []
        far.on('data', (chunk: Buffer) => back.push(chunk))
        far.end(bytes)
        for (let at = 0; at < bytes.length; at += 65_536) {
          if (stream.write(bytes, at, at + 65_536, true)) continue
          await new Promise<void>((resolve) => {
            stream.onWritable = resolve
          })
        }
        stream.end()
        await Promise.all([once(far, 'end'), until(() => reading.closed, 'the close')])
        expect(Buffer.concat(back).equals(bytes)).to.equal(true)
        expect(Buffer.concat(reading.chunks).equals(bytes)).to.equal(true)
        expect(reading.error).to.equal(undefined)
      })

      it('holds a writer back while the other side does not read', async () => {
        const { stream, far } = await connect()
        const reading = new Reading(stream)
        const chunk = Buffer.alloc(16_384, 1)
        let written = 0
        let full = false
        while (!full) {
          full = !stream.write(chunk, 0, chunk.length, true)
          written += chunk.length
        }
        let writable = 0
        stream.onWritable = () => {
          writable += 1
        }
        expect(written).to.be.below(64 * 1024 * 1024)
        stream.end()
        let came = 0
        far.on('data', (part: Buffer) => {
          came += part.length
        })
        await once(far, 'end')
        expect([came, writable]).to.deep.equal([written, 1])
        far.end()
        await until(() => reading.closed, 'the close')
        expect(reading.error).to.equal(undefined)
      })

      it('hands its descriptor out with what was not read, and takes it back', async () => {
        const { stream, far } = await connect()
        const reading = new Reading(stream)
        far.write('read')
        await until(() => reading.text === 'read', 'the first')
        stream.pause()
        stream.unread(Buffer.from('back'))
        const detached = stream.detach()
        expect(String(detached?.pending)).to.equal('back')
        detached?.attach()
        far.end('more')
        stream.resume()
        await until(() => reading.ended, 'the end')
        expect(reading.text).to.equal('readbackmore')
        send(stream, 'answer')
        stream.end()
        expect(String((await once(far, 'data'))[0])).to.equal('answer')
        await until(() => reading.closed, 'the close')
        expect(reading.error).to.equal(undefined)
      })

      it('is over with its descriptor, or reset while that is handed out', async () => {
        for (const how of ['over', 'reset'] as const) {
          const { stream, far } = await connect()
          const reading = new Reading(stream)
          const detached = stream.detach()
          if (how === 'over') detached?.over()
          else stream.reset()
          detached?.over()
          await Promise.all([once(far.resume(), 'end'), until(() => reading.closed, how)])
          expect(reading.error === undefined, how).to.equal(how === 'over')
        }
      })

      it('swallows what is written after its end, or after it is gone', async () => {
        const { stream, far } = await connect()
        const reading = new Reading(stream)
        stream.end()
        expect(send(stream, 'more')).to.equal(true)
        far.end()
        await once(far.resume(), 'end')
        await until(() => reading.closed, 'the close')
        expect(send(stream, 'more')).to.equal(true)
        stream.end()
        stream.pause()
        stream.resume()
        stream.reset()
        expect(stream.detach()).to.equal(undefined)
      })
    })
  }

  it('reports a port without a listener, and does not try what is no address', async () => {
    const server = net.createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as net.AddressInfo
    await new Promise((resolve) => server.close(resolve))
    const stream = ConnectionStream.dial({ host: '127.0.0.1', port })
    const failed = new Promise<Error | undefined>((resolve) => {
      Object.assign(stream ?? {}, { onClose: resolve })
    })
    expect(await failed).to.include({ code: 'ECONNREFUSED' })
    expect(ConnectionStream.dial({ host: 'localhost', port })).to.equal(undefined)
    expect(ConnectionStream.adopt(1_000_000)).to.equal(undefined)
  })

  it('may be given up while it is dialed, with bytes that wait', async () => {
    const data = new Set<string>()
    const far = new Set<net.Socket>()
    const server = net.createServer((socket) => {
      far.add(socket.on('error', () => {}).on('data', (bytes: Buffer) => data.add(String(bytes))))
      socket.on('close', () => far.delete(socket))
    })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const { port } = server.address() as net.AddressInfo
    const kept = ConnectionStream.dial({ host: '127.0.0.1', port }) as ConnectionStream
    const left = ConnectionStream.dial({ host: '127.0.0.1', port }) as ConnectionStream
    expect(send(kept, 'early')).to.equal(false)
    expect(kept.detach()).to.equal(undefined)
    send(left, 'never')
    left.reset()
    await until(() => data.size > 0, 'the bytes')
    expect([...data]).to.deep.equal(['early'])
    kept.reset()
    await until(() => far.size === 0, 'the resets')
    server.close()
  })
})

describe('a reset of a connection without a socket of Node', () => {
  needsNative()
  afterEach(cleanUp)

  for (const [end, connect] of Object.entries(connections)) {
    it(`shows as ECONNRESET at the other side, ${end}`, async () => {
      const { stream, far } = await connect()
      const reading = new Reading(stream)
      const failed = once(far, 'error')
      stream.reset()
      expect(reading.closed).to.equal(false)
      expect(((await failed)[0] as NodeJS.ErrnoException).code).to.equal('ECONNRESET')
      expect(reading).to.include({ closed: true })
      expect(reading.error).to.be.an('error')
    })

    it(`is noticed before there is a reader, with bytes in front of it or without, ${end}`, async () => {
      for (const text of ['', 'some']) {
        const { stream, far } = await connect()
        let error: NodeJS.ErrnoException | undefined
        stream.onClose = (why) => {
          error = why
        }
        if (text !== '') await new Promise<void>((resolve) => far.write(text, () => resolve()))
        resetFrom(far)
        await until(() => stream.closed, 'the close')
        expect(error).to.include({ code: 'ECONNRESET' })
      }
    })

    it(`comes behind the bytes in front of it, also for a reader that was paused, ${end}`, async () => {
      for (const paused of [false, true]) {
        const { stream, far } = await connect()
        const reading = new Reading(stream)
        far.write('one')
        await until(() => reading.text === 'one', 'the first')
        if (paused) stream.pause()
        await new Promise<void>((resolve) => far.write('two', () => resolve()))
        resetFrom(far)
        if (paused) {
          await once(far, 'close')
          await new Promise(setImmediate)
          stream.resume()
        }
        await until(() => reading.closed, 'the close')
        expect(reading).to.include({ text: 'onetwo', ended: false, code: 'ECONNRESET' })
      }
    })

    it(`is seen by a paused reader that has read all, behind its own end, and behind that of the peer, ${end}`, async () => {
      for (const state of ['paused', 'own end', 'end'] as const) {
        const { stream, far } = await connect()
        const reading = new Reading(stream)
        if (state === 'paused') stream.pause()
        if (state === 'own end') {
          stream.end()
          await once(far.resume(), 'end')
        }
        if (state === 'end') {
          far.end()
          await until(() => reading.ended, 'the end')
        }
        resetFrom(far)
        await until(() => reading.closed, state)
        // As the kernel calls one behind the end of the peer.
        expect(reading.code, state).to.equal(state === 'end' ? 'EPIPE' : 'ECONNRESET')
      }
    })

    it(`fails what is written into it, behind what came before, ${end}`, async () => {
      const { stream, far } = await connect()
      const reading = new Reading(stream)
      stream.pause()
      await new Promise<void>((resolve) => far.write('last words', () => resolve()))
      resetFrom(far)
      await once(far, 'close')
      stream.resume()
      send(stream, 'too late')
      await until(() => reading.closed, 'the close')
      expect(reading).to.include({ text: 'last words' })
      expect(reading.error).to.be.an('error')
    })
  }
})
