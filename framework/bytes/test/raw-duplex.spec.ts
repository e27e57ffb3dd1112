import { expect } from 'chai'
import { Duplex } from 'node:stream'
import { rawOf } from '../src/index.js'
import { RawDuplex } from '../src/raw-duplex.js'
import { Recorder, until } from './reading.js'

describe('the raw stream of any Duplex', () => {
  it('is made from its events, and copies what is lent to it', async () => {
    const written: Buffer[] = []
    const stream = new Duplex({
      read() {},
      write(chunk: Buffer, _encoding, done) {
        written.push(chunk)
        done()
      }
    })
    const raw = rawOf(stream)
    expect(raw).to.be.instanceOf(RawDuplex)
    const lent = Buffer.from('abc')
    raw.write(lent, 0, 3, false)
    lent.fill(0)
    expect(written[0]?.toString()).to.equal('abc')
    const reader = new Recorder(raw)
    stream.push('x')
    stream.push(null)
    await until(() => reader.ends === 1, 'the end came')
    raw.end()
    await until(() => reader.closed !== undefined, 'it closed')
    expect(reader.closed?.error).to.equal(undefined)
  })

  it('closes once, also when it was made between the end of a stream and its close event', async () => {
    const stream = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() })
    stream.destroy()
    let closed = 0
    await new Promise<void>((resolve) => {
      process.nextTick(() => {
        const raw = rawOf(stream)
        raw.onClose = () => {
          closed += 1
        }
        setImmediate(() => setImmediate(resolve))
      })
    })
    expect(closed).to.equal(1)
    expect(rawOf(stream).closed).to.equal(true)
  })
})
