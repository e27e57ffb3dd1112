import { rawOf } from '@rystra/bytes'
import { expect } from 'chai'
import fc from 'fast-check'
import { once } from 'node:events'
import { PassThrough, type Duplex } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { cleanUp, memoryPair, type Pair, sink, socketPair, streamPair, turns, until } from './ends.js'

const read = async (stream: Duplex): Promise<string> => {
  const chunks: Buffer[] = []
  stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  await once(stream, 'end')
  return String(Buffer.concat(chunks))
}

/** What a stream saw at its end. */
const fate = (stream: Duplex): { ended: boolean; error: string | undefined; closed: boolean } => {
  const seen = { ended: false, error: undefined as string | undefined, closed: false }
  stream.on('end', () => {
    seen.ended = true
  })
  stream.on('error', (error: Error & { code?: string }) => {
    seen.error = error.code ?? error.message
  })
  stream.on('close', () => {
    seen.closed = true
  })
  return seen
}

for (const [where, make] of [
  ['within the process', async (): Promise<Pair> => memoryPair()],
  ['on real sockets', socketPair]
] as const) {
  describe(`a stream ${where}`, () => {
    afterEach(cleanUp)

    it('carries a late answer after a half-close, either way round', async () => {
      for (const turned of [false, true]) {
        const pair = await make()
        const ends = await streamPair(pair)
        const [asks, answers] = turned ? [ends[1], ends[0]] : ends
        if (turned) ends[0].write('x')
        asks.end('probe')
        expect(await read(answers)).to.equal(turned ? 'xprobe'.slice(1) : 'probe')
        await turns(50)
        const got = read(asks)
        answers.end('a'.repeat(1_000_000))
        expect((await got).length).to.equal(1_000_000 + (turned ? 1 : 0))
        await until(() => asks.destroyed && answers.destroyed, 'both to close')
        await until(() => pair.client.streams + pair.server.streams === 0, 'both to forget it')
      }
    })

    it('closes without an error after both ends', async () => {
      const pair = await make()
      const [near, far] = await streamPair(pair)
      const fates = [fate(near.resume()), fate(far.resume())]
      near.end('a')
      far.end('b')
      await until(() => fates.every(({ closed }) => closed), 'both to close')
      for (const each of fates) expect(each).to.deep.equal({ ended: true, error: undefined, closed: true })
    })

    it('shows a reset as an error, never as an end, even when bytes came before', async () => {
      for (const error of [undefined, new Error('mine')]) {
        const [near, far] = await streamPair(await make())
        const seen = fate(far)
        let bytes = 0
        far.on('data', (chunk: Buffer) => {
          bytes += chunk.length
        })
        near.write(Buffer.alloc(100_000))
        await until(() => bytes === 100_000, 'the bytes')
        near.destroy(error)
        await until(() => seen.closed, 'the close')
        expect(seen).to.deep.equal({ ended: false, error: 'stream.reset', closed: true })
      }
    })

    it('fails a writer whose other end has stopped reading for good', async () => {
      const [near, far] = await streamPair(await make())
      const seen = fate(near)
      near.write(Buffer.alloc(1_000_000))
      far.end()
      await turns(5)
      far.destroy()
      await until(() => seen.closed, 'the close')
      expect(seen.error).to.equal('stream.reset')
    })

    it('does not end the process when a stream without listeners is reset', async () => {
      const pair = await make()
      const near = await pair.client.open()
      await until(() => pair.accepted.length === 1, 'the stream')
      pair.accepted[0]?.destroy()
      await until(() => near.destroyed, 'the reset')
    })

    it('resets open streams when the session closes, after what was written', async () => {
      const pair = await make()
      const [near, far] = await streamPair(pair)
      const seen = fate(far)
      let bytes = 0
      far.on('data', (chunk: Buffer) => {
        bytes += chunk.length
      })
      near.write('last words')
      pair.client.close()
      await until(() => seen.closed, 'the close')
      expect(bytes).to.equal(10)
      expect(seen.error).to.equal('stream.reset')
    })

    it('tells the raw face the same', async () => {
      const pair = await make()
      const [near, far] = await streamPair(pair)
      const seen = sink(far)
      rawOf(near).write(Buffer.from('hello'), 0, 5, true)
      rawOf(near).end()
      await until(() => seen.ended, 'the end')
      expect(seen).to.include({ bytes: 5, closed: false })
      rawOf(far).end()
      await until(() => seen.closed, 'the close')
      expect(seen.error).to.equal(undefined)
      expect(rawOf(far).closed).to.equal(true)
      await until(() => far.destroyed, 'the Duplex to close too')

      const [other, otherFar] = await streamPair(pair)
      const reset = sink(otherFar)
      rawOf(other).reset()
      await until(() => reset.closed, 'the reset')
      expect(reset).to.include({ ended: false })
      expect(reset.error).to.include({ code: 'stream.reset' })
    })

    it('does not call back who resets a stream while it does', async () => {
      const [near] = await streamPair(await make())
      const raw = rawOf(near)
      let called = 0
      raw.onClose = () => {
        called += 1
      }
      raw.reset()
      expect([called, raw.closed]).to.deep.equal([0, false])
      await turns(1)
      expect([called, raw.closed]).to.deep.equal([1, true])
    })

    it('goes over from the Duplex face to the raw one, with all bytes and the end', async () => {
      const [near, far] = await streamPair(await make())
      near.end('head:and the rest')
      await once(far, 'readable')
      expect(String(far.read(5))).to.equal('head:')
      let rest = ''
      let ended = false
      rawOf(far).read({
        onBytes(buffer, start, end) {
          rest += buffer.toString('latin1', start, end)
          return true
        },
        onEnd() {
          ended = true
        }
      })
      await until(() => ended, 'the end')
      expect(rest).to.equal('and the rest')
    })

    it('goes over to another raw reader in the middle of a chunk', async () => {
      for (const answer of [true, false]) {
        const [near, far] = await streamPair(await make())
        const raw = rawOf(far)
        const reported: string[] = []
        const reader = (name: string): Parameters<typeof raw.read>[0] => ({
          onBytes(buffer, start, end) {
            reported.push(`${name} ${buffer.toString('latin1', start, end)}`)
            return true
          },
          onEnd: () => void reported.push(`${name} end`)
        })
        raw.read({
          onBytes(buffer, start, end) {
            raw.unread(Buffer.from(buffer.subarray(start + 2, end)))
            raw.read(reader('second'))
            return answer
          },
          onEnd() {}
        })
        near.end('1234')
        await until(() => reported.includes('second end'), 'the end')
        expect(reported).to.deep.equal(['second 34', 'second end'])
      }
    })

    it('goes on at once for a new reader, though the one before has stopped', async () => {
      const [near, far] = await streamPair(await make())
      const raw = rawOf(far)
      let stopped = false
      raw.read({
        onBytes() {
          stopped = true
          return false
        },
        onEnd() {}
      })
      near.write('one')
      await until(() => stopped, 'the first bytes')
      near.end('two')
      const seen = sink(far)
      await until(() => seen.ended, 'the end')
      expect(seen.bytes).to.equal(3)
    })

    it('works with pipeline and with async iteration', async () => {
      const [near, far] = await streamPair(await make())
      const bytes = Buffer.alloc(3_000_000, 'abc')
      const source = new PassThrough()
      source.end(bytes)
      const sent = pipeline(source, near as NodeJS.WritableStream)
      let length = 0
      for await (const chunk of far) length += (chunk as Buffer).length
      near.resume()
      await sent.catch(() => {})
      expect(length).to.equal(bytes.length)
    })

    it('carries writes of any sizes, corked or not, in order', async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.tuple(fc.oneof(fc.nat(50), fc.nat(9000), fc.nat(400_000)), fc.boolean()), { maxLength: 15 }),
          async (writes) => {
            const pair = await make()
            const [near, far] = await streamPair(pair)
            let at = 0
            for (const [size, cork] of writes) {
              if (cork) near.cork()
              else near.uncork()
              const bytes = Buffer.alloc(size)
              for (let index = 0; index < size; index++, at++) bytes[index] = at % 251
              near.write(bytes)
            }
            near.end()
            let came = 0
            let wrong = -1
            far.on('data', (chunk: Buffer) => {
              for (const byte of chunk) {
                if (byte !== came % 251 && wrong < 0) wrong = came
                came += 1
              }
            })
            await once(far, 'end')
            expect([came, wrong]).to.deep.equal([at, -1])
            cleanUp()
          }
        ),
        { numRuns: 25 }
      )
    })
  })
}
