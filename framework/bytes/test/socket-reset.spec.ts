import { expect } from 'chai'
import { rawOf } from '../src/index.js'
import { onreadWorks } from '../src/onread.js'
import { pattern, Recorder, turns, until } from './reading.js'
import { ends, otherEnd, outcome, tcpPair, tidy } from './sockets.js'

afterEach(tidy)

describe('a reset of a TCP socket', () => {
  for (const end of ends) {
    it(`shows as ECONNRESET at the other side, ${end}`, async () => {
      const joined = await tcpPair()
      const seen = outcome(joined[otherEnd[end]])
      new Recorder(rawOf(joined[end]))
      rawOf(joined[end]).reset()
      expect(await seen).to.equal('ECONNRESET')
    })

    it(`closes this side, and fails what the other writes, in the turn of an end, ${end}`, async () => {
      const joined = await tcpPair()
      const far = joined[otherEnd[end]]
      const seen = outcome(far)
      const raw = rawOf(joined[end])
      const reader = new Recorder(raw)
      raw.end()
      raw.reset()
      await until(() => reader.closed !== undefined, 'it closed here')
      expect(reader.closed?.error).to.be.instanceOf(Error)
      await until(() => far.readableEnded || far.destroyed, 'the other side saw something')
      far.write('x', () => far.write('y'))
      expect(await seen).to.be.oneOf(['ECONNRESET', 'EPIPE'])
    })

    it(`is noticed by one that is watched while its reader is paused, and nothing that came is lost, ${end}`, async function () {
      if (!onreadWorks) this.skip()
      for (const last of ['reset', 'end'] as const) {
        const joined = await tcpPair()
        const [near, far] = [joined[end], joined[otherEnd[end]]]
        const raw = rawOf(near)
        const reader = new Recorder()
        reader.answer = () => false
        raw.onClose = (error) => {
          reader.closed = { error }
        }
        raw.read(reader)
        far.write('first')
        await until(() => reader.length === 5, 'the first bytes came')
        raw.watch?.()
        if (last === 'reset') {
          far.write('second')
          far.resetAndDestroy()
          await until(() => reader.closed !== undefined, 'the reset is noticed')
          expect(reader.length, 'the reader was left alone').to.equal(5)
        } else {
          far.write(pattern(200_000))
          await until(() => near.bytesRead > 60_000, 'it is read ahead')
          await turns(5)
          expect([near.bytesRead < 200_000, reader.length], 'of the rest a bounded part').to.deep.equal([true, 5])
          far.end()
          reader.answer = () => true
          raw.resume()
          await until(() => reader.ends === 1, 'the end came')
          expect(reader.bytes.subarray(5).equals(pattern(200_000))).to.equal(true)
        }
      }
    })

    it(`shows as a reset right behind bytes, where Node itself shows an end, ${end}`, async () => {
      const joined = await tcpPair()
      const far = new Recorder(rawOf(joined[otherEnd[end]]))
      joined[end].write(Buffer.alloc(32 << 20))
      joined[end].resetAndDestroy()
      await until(() => far.closed !== undefined || far.ends > 0, 'the other side saw something')
      expect(far.ends, 'ends seen').to.equal(0)
      expect(far.closed?.error).to.have.property('code', 'ECONNRESET')
    })

    it(`shows as a reset right behind a few bytes and our own end, ${end}`, async () => {
      const joined = await tcpPair()
      const raw = rawOf(joined[otherEnd[end]])
      const far = new Recorder(raw)
      raw.end()
      joined[end].resume()
      await until(() => joined[end].readableEnded, 'our end came')
      joined[end].write('half an answer')
      joined[end].resetAndDestroy()
      await until(() => far.closed !== undefined, 'it closed')
      expect(far.ends, 'ends seen').to.equal(0)
      expect(far.closed?.error).to.have.property('code', 'ECONNRESET')
    })

    it(`shows when it comes after the end, which libuv does not poll behind, ${end}`, async () => {
      const joined = await tcpPair()
      const far = new Recorder(rawOf(joined[otherEnd[end]]))
      joined[end].end('all')
      await until(() => far.ends === 1 && joined[end].writableFinished, 'the end came')
      joined[end].resetAndDestroy()
      await until(() => far.closed !== undefined, 'it closed')
      expect(far.closed?.error).to.have.property('code', 'ECONNRESET')
    })

    it(`shows when it came before the take-over, behind bytes, ${end}`, async () => {
      const joined = await tcpPair()
      const near = joined[otherEnd[end]]
      joined[end].write('half')
      joined[end].resetAndDestroy()
      near.on('readable', () => {})
      await until(() => near.readableLength > 0 || near.destroyed, 'something came')
      await turns(5)
      near.removeAllListeners('readable')
      const reader = new Recorder(rawOf(near))
      await until(() => rawOf(near).closed, 'it closed')
      expect(reader.ends).to.equal(0)
    })
  }

  it('closes the raw stream of a socket that was destroyed before', async () => {
    const { dialed } = await tcpPair()
    dialed.destroy()
    const raw = rawOf(dialed)
    const reader = new Recorder(raw)
    raw.reset()
    await until(() => raw.closed, 'it closed')
    expect(reader.closed?.error).to.be.instanceOf(Error)
    const late = rawOf((await tcpPair()).dialed)
    expect(late.closed).to.equal(false)
  })
})
