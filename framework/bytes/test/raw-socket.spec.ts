import { expect } from 'chai'
import type net from 'node:net'
import { rawOf } from '../src/index.js'
import { GatheredStream } from '../src/gathered-stream.js'
import { onreadWorks } from '../src/onread.js'
import { RawDuplex } from '../src/raw-duplex.js'
import { RawSocket } from '../src/raw-socket.js'
import { pattern, Recorder, turns, until } from './reading.js'
import { ends, otherEnd, socketPairs, tidy } from './sockets.js'

afterEach(tidy)

for (const [kind, pair] of Object.entries(socketPairs)) {
  for (const end of ends) {
    describe(`the raw stream of a ${end} ${kind} socket`, () => {
      let near: net.Socket
      let far: net.Socket

      beforeEach(async () => {
        const joined = await pair()
        near = joined[end]
        far = joined[otherEnd[end]]
      })

      it('is the fast one where Node allows it, and the same each time', () => {
        const fast = kind === 'TLS' ? GatheredStream : RawSocket
        expect(rawOf(near)).to.be.instanceOf(onreadWorks ? fast : RawDuplex)
        expect(rawOf(near)).to.equal(rawOf(near))
      })

      it('delivers bytes and the end, and closes cleanly when both sides have ended', async () => {
        const raw = rawOf(near)
        const reader = new Recorder(raw)
        far.end('hello')
        await until(() => reader.ends === 1, 'the end came')
        expect(reader.bytes.toString()).to.equal('hello')
        expect(reader.closed, 'one direction is still open').to.equal(undefined)
        raw.end()
        await until(() => reader.closed !== undefined, 'it closed')
        expect(reader.closed?.error).to.equal(undefined)
        expect(raw.closed).to.equal(true)
      })

      it('delivers what had come before it was taken over, and an end that had', async () => {
        far.end('early')
        near.on('readable', () => {})
        await until(() => near.readableLength === 5, 'the bytes are in the queue of the socket')
        await turns(5)
        near.removeAllListeners('readable')
        const reader = new Recorder(rawOf(near))
        await until(() => reader.ends === 1, 'the end came')
        expect(reader.bytes.toString()).to.equal('early')
      })

      it('tells an end that was over before it was taken over', async () => {
        far.end()
        near.resume()
        await until(() => near.readableEnded, 'the socket ended')
        const reader = new Recorder(rawOf(near))
        await until(() => reader.ends === 1, 'the end came')
      })

      it('delivers bytes that a handshake gave back, before what comes later', async () => {
        far.write('handshake+rest')
        near.on('readable', () => {})
        await until(() => near.readableLength === 14, 'the bytes came')
        const came = near.read() as Buffer
        near.unshift(came.subarray(10))
        near.removeAllListeners('readable')
        const reader = new Recorder(rawOf(near))
        far.write(' and more')
        await until(() => reader.length === 13, 'all came')
        expect(reader.bytes.toString()).to.equal('rest and more')
      })

      it('reads nothing between pause and resume, and loses nothing', async () => {
        const raw = rawOf(near)
        const reader = new Recorder(raw)
        reader.answer = () => {
          raw.pause()
          return true
        }
        const sent = pattern(300_000)
        far.write(sent)
        let before = 0
        while (reader.length < sent.length) {
          await until(() => reader.length > before, 'the next bytes came')
          before = reader.length
          await turns(3)
          expect(reader.length, 'bytes came while paused').to.equal(before)
          raw.resume()
        }
        expect(reader.bytes.equals(sent)).to.equal(true)
      })

      it('delivers nothing while the reader holds what it got, and leaves that alone', async () => {
        const raw = rawOf(near)
        const reader = new Recorder(raw)
        let calls = 0
        let held: (() => boolean) | undefined
        let broken = 0
        reader.answer = (buffer, start, end, shared) => {
          calls += 1
          if (held !== undefined) broken += 1
          const copy = Buffer.from(buffer.subarray(start, end))
          held = () => shared || copy.equals(buffer.subarray(start, end))
          return false
        }
        const sent = pattern(2 * 1024 * 1024)
        far.write(sent)
        while (reader.length < sent.length) {
          await until(() => held !== undefined, 'the next bytes came')
          const seen = calls
          await turns(2)
          expect(calls, 'called while it held').to.equal(seen)
          expect(held?.(), 'lent memory was overwritten').to.equal(true)
          held = undefined
          raw.resume()
        }
        expect(broken).to.equal(0)
        expect(reader.bytes.equals(sent)).to.equal(true)
      })

      it('gives bytes that were put back to the next reader first', async () => {
        const raw = rawOf(near)
        const second = new Recorder()
        const first = new Recorder()
        first.answer = (buffer, start, end) => {
          raw.unread(Buffer.from(buffer.subarray(start + 4, end)))
          return false
        }
        raw.read(first)
        far.write('headbody')
        await until(() => first.length > 0, 'the head came')
        far.end(' tail')
        raw.read(second)
        await until(() => second.ends === 1, 'the end came')
        expect(second.bytes.toString()).to.equal('body tail')
        expect(first.ends).to.equal(0)
      })

      it('changes readers from inside onBytes', async () => {
        const raw = rawOf(near)
        const second = new Recorder()
        const first = new Recorder()
        first.answer = (buffer, start, end) => {
          raw.unread(Buffer.from(buffer.subarray(start + 4, end)))
          raw.read(second)
          return true
        }
        raw.read(first)
        const body = pattern(500_000)
        far.end(Buffer.concat([Buffer.from('head'), body]))
        await until(() => second.ends === 1, 'the end came')
        expect(second.bytes.equals(body)).to.equal(true)
      })

      it('carries 4 MiB each way at once, unharmed', async () => {
        const raw = rawOf(near)
        const reader = new Recorder(raw)
        const [up, down] = [pattern(4 << 20, 3), pattern(4 << 20, 4)]
        far.end(up)
        const got: Buffer[] = []
        far.on('data', (chunk: Buffer) => got.push(chunk))
        let at = 0
        const more = (): void => {
          while (at < down.length) {
            const size = 1 + ((at * 7919) % 200_000)
            const end = Math.min(down.length, at + size)
            const lent = Buffer.from(down.subarray(at, end))
            at = end
            if (!raw.write(lent, 0, lent.length, at % 3 === 0)) return
          }
          raw.end()
        }
        raw.onWritable = more
        more()
        await until(() => reader.closed !== undefined, 'it closed')
        await until(() => far.closed, 'the other closed')
        expect(reader.bytes.equals(up), 'what it read').to.equal(true)
        expect(Buffer.concat(got).equals(down), 'what it wrote').to.equal(true)
        expect(reader.closed?.error).to.equal(undefined)
      })

      it('holds a writer back while the other side does not read, and leaves shared memory to its owner', async () => {
        const raw = rawOf(near)
        raw.read(new Recorder())
        const chunk = Buffer.alloc(64 * 1024, 1)
        let pushed = 0
        while (raw.write(chunk, 0, chunk.length, true)) pushed += chunk.length
        chunk.fill(2)
        expect(pushed, 'what was taken without a reader').to.be.below(24 << 20)
        let writable = 0
        raw.onWritable = () => {
          writable += 1
        }
        let twos = 0
        far.on('data', (bytes: Buffer) => {
          twos += bytes.filter((byte) => byte !== 1).length
        })
        await until(() => writable > 0, 'it may write again')
        raw.end()
        await until(() => far.readableEnded, 'all came')
        expect(twos, 'bytes that were changed after the write').to.equal(0)
        expect(writable).to.equal(1)
      })

      it('says once that it is writable, when several writes had to wait', async () => {
        const raw = rawOf(near)
        const big = Buffer.alloc(16 << 20)
        let writable = 0
        raw.onWritable = () => {
          writable += 1
          expect(near.writableLength, 'bytes that are still waiting').to.equal(0)
        }
        expect(raw.write(big, 0, big.length, false)).to.equal(false)
        expect(raw.write(big, 0, big.length, false)).to.equal(false)
        far.resume()
        await until(() => writable > 0, 'it may write again')
        await turns(5)
        expect(writable).to.equal(1)
      })

      it('reports a reset of its own, and one of the other side', async () => {
        const raw = rawOf(near)
        const reader = new Recorder(raw)
        raw.reset()
        raw.reset()
        await until(() => reader.closed !== undefined, 'it closed')
        expect(reader.closed?.error?.message).to.match(/reset by this side/)
        const again = (await pair())[end]
        const second = new Recorder(rawOf(again))
        again.destroy(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }))
        await until(() => second.closed !== undefined, 'it closed')
        expect(second.closed?.error).to.have.property('code', 'ECONNRESET')
      })

      it('does not take a cut connection for a clean end', async () => {
        const reader = new Recorder(rawOf(near))
        near.destroy()
        await until(() => reader.closed !== undefined, 'it closed')
        expect(reader.closed?.error).to.be.instanceOf(Error)
      })

      it('swallows what is written after the end, or after it is gone', async () => {
        const raw = rawOf(near)
        raw.end()
        expect(raw.write(Buffer.from('x'), 0, 1, false)).to.equal(true)
        raw.end()
        raw.reset()
        expect(raw.write(Buffer.from('x'), 0, 1, false)).to.equal(true)
        raw.end()
        await until(() => raw.closed, 'it closed')
      })
    })
  }
}
