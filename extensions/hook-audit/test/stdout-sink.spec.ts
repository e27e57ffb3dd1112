import { expect } from 'chai'
import fs from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { StdoutSink } from '../src/stdout-sink.js'

describe('the standard output', () => {
  it('gets the lines, and holds the next ones back until it took them', async () => {
    const taken: string[] = []
    let release: (() => void) | undefined
    const stream = new Writable({
      write(chunk: Buffer, _encoding, done) {
        taken.push(chunk.toString())
        release = done
      }
    })
    const sink = new StdoutSink(stream)
    await sink.open()
    let through = false
    const written = sink.write(Buffer.from('one\n')).then(() => {
      through = true
    })
    await new Promise((resolve) => setImmediate(resolve))
    expect([taken, through]).to.deep.equal([['one\n'], false])
    release?.()
    await written
    await sink.close()
    expect(stream.destroyed, 'it is not own to close').to.equal(false)
  })

  it('whose reader is gone fails the write, and not the process', async () => {
    const stream = new Writable({
      write: (_chunk, _encoding, done) => done(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }))
    })
    const sink = new StdoutSink(stream)
    for (let i = 0; i < 2; i += 1) {
      const error = await sink.write(Buffer.from('one\n')).then(
        () => undefined,
        (thrown: unknown) => thrown
      )
      expect(error).to.be.an('error')
      await new Promise((resolve) => setImmediate(resolve))
    }
  })

  it('is written off the event loop when it is a file', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'rystra-audit-'))
    const file = join(dir, 'out')
    const fd = fs.openSync(file, 'w')
    const stream = Object.assign(
      new Writable({ write: () => expect.fail('the stream of Node would wait for the disk') }),
      { fd }
    )
    try {
      const sink = new StdoutSink(stream)
      await sink.write(Buffer.from('one\n'))
      await sink.write(Buffer.from('two\n'))
      expect(await readFile(file, 'utf8')).to.equal('one\ntwo\n')
    } finally {
      fs.closeSync(fd)
      await rm(dir, { recursive: true })
    }
  })
})
