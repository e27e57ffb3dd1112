import { expect } from 'chai'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { flushed, LineOutput, type OutputStream } from '../src/line-output.js'
import { Folders } from './folder.js'

const lostLine = (count: number, reason: string): string => `${count} lost: ${reason}\n`

/** A stream that fails with `failure` while it is set, and waits with `held` while `hold` is. */
const sink = () => {
  const state = {
    text: '',
    failure: undefined as NodeJS.ErrnoException | undefined,
    hold: false,
    held: [] as (() => void)[]
  }
  const stream = new Writable({
    autoDestroy: false,
    emitClose: false,
    decodeStrings: false,
    write(chunk: string, _encoding, done) {
      const { failure } = state
      const take = (): void => {
        if (failure === undefined) state.text += chunk
        // As the streams of stdio do: an error ends nothing.
        if (failure !== undefined) this.emit('error', failure)
        done()
      }
      if (state.hold) state.held.push(take)
      else take()
    }
  })
  return { state, stream: stream as OutputStream }
}

/** A stream whose write() reports a failure to its callback, as those of stdio do. */
const failing = () => {
  const state = { text: '', code: '' }
  const stream = Object.assign(new Writable(), {
    write: (chunk: string, done: (error?: Error) => void) => {
      if (state.code === '') state.text += chunk
      done(state.code === '' ? undefined : Object.assign(new Error(state.code), { code: state.code }))
      return true
    }
  })
  return { state, stream: stream as unknown as OutputStream }
}

describe('lines for stdout and stderr', () => {
  const folders = new Folders()
  afterEach(() => folders.clean())

  for (const code of ['ENOSPC', 'EAGAIN', 'EIO', 'EPIPE']) {
    it(`${code} loses a line without an exception, and the next that passes tells how many`, () => {
      const { state, stream } = failing()
      let gone = 0
      const output = new LineOutput(stream, { lostLine, onGone: () => (gone += 1) })
      output.write('1\n')
      state.code = code
      output.write('2\n')
      output.write('3\n')
      state.code = ''
      output.write('4\n')
      output.write('5\n')
      expect(state.text).to.equal(`1\n2 lost: ${code}\n4\n5\n`)
      expect(gone, 'the reader is gone, once').to.equal(code === 'EPIPE' ? 1 : 0)
    })
  }

  it('an error event of the stream is no exception', () => {
    const { state, stream } = sink()
    const output = new LineOutput(stream, { lostLine })
    state.failure = Object.assign(new Error('EPIPE'), { code: 'EPIPE' })
    expect(() => output.write('1\n')).not.to.throw()
  })

  it('a reader that stops holds a bounded queue, gets the rest and the count when it goes on, and does not hold an exit', async () => {
    const { state, stream } = sink()
    const output = new LineOutput(stream, { lostLine })
    state.hold = true
    const line = `${'x'.repeat(999)}\n`
    for (let i = 0; i < 5000; i++) output.write(line)
    expect(stream.writableLength).to.be.within(1024 * 1024, 1024 * 1024 + 2000)
    await flushed(stream)
    state.hold = false
    for (const take of state.held) take()
    const [passed = 0, lost = 0] = [
      state.text.split(line).length - 1,
      Number(/^(\d+) lost: slow reader$/m.exec(state.text)?.[1])
    ]
    expect(passed + lost).to.equal(5000)
  })

  it('a full disk loses lines, and has them counted when there is room again', () => {
    const file = join(folders.make(), 'log')
    const fd = openSync('/dev/full', 'w')
    const output = new LineOutput(Object.assign(new Writable(), { fd }) as OutputStream, { lostLine })
    output.write('1\n')
    output.write('2\n')
    closeSync(fd)
    expect(openSync(file, 'w'), 'the lowest free descriptor').to.equal(fd)
    output.write('3\n')
    closeSync(fd)
    expect(readFileSync(file, 'utf8')).to.equal('2 lost: ENOSPC\n3\n')
  })
})
