import { expect } from 'chai'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PacedWork, ReloadedFile } from '../src/index.js'

const failure = (work: Promise<unknown>): Promise<string> => work.then(String, (error: Error) => error.message)

describe('a file that is read again', () => {
  let dir: string
  let file: string

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'rystra-reloaded-'))
    file = join(dir, 'numbers')
  })

  afterEach(() => rmSync(dir, { recursive: true, force: true }))

  const numberIn = (bytes: Buffer): number => {
    const number = Number(bytes)
    if (Number.isNaN(number)) throw new Error('not a number')
    return number
  }

  it('is parsed when it has changed, and not otherwise', async () => {
    let parsed = 0
    const reloaded = new ReloadedFile(file, {
      parse: (bytes) => {
        parsed += 1
        return numberIn(bytes)
      }
    })
    expect(reloaded.content).to.equal(undefined)
    writeFileSync(file, '1')
    expect([await reloaded.read(), await reloaded.read(), reloaded.content, parsed]).to.deep.equal([true, false, 1, 1])
    writeFileSync(file, '22')
    expect([await reloaded.read(), reloaded.content, parsed]).to.deep.equal([true, 22, 2])
  })

  it('keeps its content when it is gone, too large or not valid, and takes it when that is mended', async () => {
    const reloaded = new ReloadedFile(file, { parse: numberIn, max: 8 })
    writeFileSync(file, '1')
    await reloaded.read()
    for (const [text, message] of [
      ['one', 'not a number'],
      ['123456789', 'larger than 8 bytes']
    ] as const) {
      writeFileSync(file, text)
      expect(await failure(reloaded.read())).to.equal(message)
      expect(await failure(reloaded.read())).to.equal(message)
    }
    rmSync(file)
    expect(await failure(reloaded.read())).to.match(/ENOENT/)
    expect(reloaded.content).to.equal(1)
    writeFileSync(file, '2')
    expect([await reloaded.read(), reloaded.content]).to.deep.equal([true, 2])
  })

  it('says when other users may read it', async function () {
    if (process.platform === 'win32') this.skip()
    let shared = 0
    const onShared = (): void => {
      shared += 1
    }
    const reloaded = new ReloadedFile(file, { parse: numberIn, onShared })
    writeFileSync(file, '1', { mode: 0o600 })
    await reloaded.read()
    expect(shared).to.equal(0)
    writeFileSync(file, '22')
    chmodSync(file, 0o644)
    await reloaded.read()
    expect(shared).to.equal(1)
  })
})

describe('work that peers cause', () => {
  it('is done once in an interval, shared while it lasts, and again after a failure', async () => {
    let now = 0
    let runs = 0
    let end: (error?: Error) => void = () => {}
    const work = new PacedWork(1000, { now: () => now }, () => {
      runs += 1
      return new Promise<void>((resolve, reject) => {
        end = (error) => (error === undefined ? resolve() : reject(error))
      })
    })
    const first = work.due()
    expect([work.due() === first, work.now() === first, runs]).to.deep.equal([true, true, 1])
    end(new Error('it failed'))
    expect(await failure(first as Promise<void>)).to.equal('it failed')
    now = 999
    expect(work.due()).to.equal(undefined)
    now = 1000
    const second = work.due()
    end()
    await second
    expect(runs).to.equal(2)
    // A clock that was set back must not stop it.
    now = -5000
    expect(work.due()).not.to.equal(undefined)
    end()
  })
})
