import { expect } from 'chai'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileText, plainSecret, readBounded, readBoundedSync } from '../src/index.js'

const reason = async (work: () => unknown): Promise<string> => {
  try {
    await work()
  } catch (error) {
    return (error as Error).message
  }
  return 'none'
}

describe('a file of a bounded size', () => {
  let dir: string
  const at = (name: string): string => join(dir, name)

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'rystra-bounded-'))
  })
  afterEach(() => rmSync(dir, { recursive: true, force: true }))

  const readers = [
    async (path: string, max: number) => (await readBounded(path, max)).bytes,
    async (path: string, max: number) => readBoundedSync(path, max)
  ]

  it('is read to its end where the system gives no size', async function () {
    if (process.platform !== 'linux') this.skip()
    const [file, text] = ['/proc/self/limits', readFileSync('/proc/self/limits', 'utf8')]
    for (const read of readers) {
      expect(String(await read(file, 100_000))).to.equal(text)
      expect(await reason(() => read(file, 10))).to.equal('larger than 10 bytes')
    }
  })

  it('is read whole, also through a link, and up to the limit', async () => {
    writeFileSync(at('file'), 'x'.repeat(100_000))
    symlinkSync(at('file'), at('link'))
    for (const read of readers) {
      expect((await read(at('link'), 100_000)).length).to.equal(100_000)
      expect(await reason(() => read(at('file'), 99_999))).to.equal('larger than 99999 bytes')
      truncateSync(at('file'), 0)
      expect((await read(at('file'), 10)).length).to.equal(0)
      writeFileSync(at('file'), 'x'.repeat(100_000))
    }
  })

  it('is no folder, named pipe or device: none is waited for, or read without end', async function () {
    if (process.platform === 'win32') this.skip()
    mkdirSync(at('folder'))
    execFileSync('mkfifo', [at('pipe')])
    for (const read of readers) {
      expect(await reason(() => read(at('folder'), 10))).to.equal('expected a file, got a folder')
      expect(await reason(() => read(at('pipe'), 10))).to.equal('expected a file, got a named pipe')
      expect(await reason(() => read('/dev/zero', 10))).to.equal('expected a file, got a device')
    }
  })
})

describe('text of a file', () => {
  it('has no byte order mark, and lines that end with LF', () => {
    expect(fileText(Buffer.from('\uFEFFone\r\ntwo\rthree\n'))).to.equal('one\ntwo\nthree\n')
  })

  it('of another encoding is refused, and the encoding named', async () => {
    for (const bytes of [Buffer.from('\uFEFFtext', 'utf16le'), Buffer.from('\uFEFFtext', 'utf16le').swap16()])
      expect(await reason(() => fileText(bytes))).to.equal('it is UTF-16; save it as UTF-8')
    expect(await reason(() => fileText(Buffer.from('a\nä', 'latin1')))).to.match(/^line 2 is not UTF-8/)
  })
})

describe('a secret as it is written', () => {
  it('loses the white space around it, of each kind', () => {
    for (const text of ['s3cret', ' s3cret\n', '\u00a0s3cret\u00a0', '\uFEFFs3cret\t\n\n', 's3cret \n'])
      expect(plainSecret(text), JSON.stringify(text)).to.equal('s3cret')
    expect(plainSecret('two words')).to.equal('two words')
    expect(plainSecret(' \n')).to.equal('')
  })

  it('has one line, and nothing that cannot be seen', async () => {
    expect(await reason(() => plainSecret('one\ntwo'))).to.include('several lines')
    expect(await reason(() => plainSecret('se\u200bcret'))).to.include('U+200B')
    expect(await reason(() => plainSecret('se\u00adcret'))).to.include('U+00AD')
    expect(await reason(() => plainSecret('\u201csecret\u201d'))).to.include('typographic quotes')
  })
})
