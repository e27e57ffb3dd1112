import { expect } from 'chai'
import { randomBytes } from 'node:crypto'
import { Needle, Search } from '../src/search.js'

const run = (
  needle: Buffer,
  replacement: Buffer,
  chunks: readonly Buffer[],
  timeout = Number.POSITIVE_INFINITY
): Buffer => {
  const search = new Search(new Needle(needle), replacement)
  const out: Buffer[] = []
  for (const chunk of chunks) {
    for (let at = 0; at < chunk.length; ) {
      let left = timeout
      at = search.run(chunk, at, (bytes) => {
        out.push(Buffer.from(bytes))
        left -= 1
        return left > 0
      })
    }
    expect(search.held).to.be.lessThan(needle.length)
  }
  out.push(search.release())
  return Buffer.concat(out)
}

/** What it should be, in the slow and plain way. */
const plainly = (text: Buffer, needle: Buffer, replacement: Buffer): Buffer => {
  const out: Buffer[] = []
  let at = 0
  for (let found = text.indexOf(needle); found !== -1; found = text.indexOf(needle, at)) {
    out.push(text.subarray(at, found), replacement)
    at = found + needle.length
  }
  return Buffer.concat([...out, text.subarray(at)])
}

const cut = (text: Buffer, sizes: () => number): Buffer[] => {
  const chunks: Buffer[] = []
  for (let at = 0; at < text.length; ) {
    const size = sizes()
    chunks.push(text.subarray(at, at + size))
    at += size
  }
  return chunks
}

describe('the search', () => {
  for (const [text, needle, replacement] of [
    ['hello world', 'o', '0'],
    ['aaaaaaa', 'aa', 'b'],
    ['ababababaca', 'ababaca', 'X'],
    ['abcabcabd', 'abcabd', ''],
    ['aabaabaaab', 'aabaaab', '<>'],
    ['needle', 'needle', 'n'],
    ['needl', 'needle', 'n'],
    ['nneedle needleneedle', 'needle', 'longer than before'],
    ['', 'x', 'y'],
    ['ab', 'abc', '']
  ] as const) {
    it(`finds ${needle} in ${text || 'nothing'}, wherever it is cut`, () => {
      const [whole, what, by] = [text, needle, replacement].map((it) => Buffer.from(it)) as [Buffer, Buffer, Buffer]
      const right = text.split(needle).join(replacement)
      for (let size = 1; size <= whole.length + 1; size += 1) {
        for (const timeout of [1, 2, Number.POSITIVE_INFINITY]) {
          expect(
            run(
              what,
              by,
              cut(whole, () => size),
              timeout
            ).toString(),
            `pieces of ${size}`
          ).to.equal(right)
        }
      }
    })
  }

  it('is right for bytes of any value, in pieces of any size', () => {
    for (let round = 0; round < 300; round += 1) {
      // few values, so that much begins and little ends
      const some = (length: number) => Buffer.from(randomBytes(length).map((byte) => (byte % 2) * 0xff))
      const [text, needle, by] = [some(400), some(1 + (round % 9)), randomBytes(round % 5)]
      const right = plainly(text, needle, by)
      const chunks = cut(text, () => 1 + Math.floor(Math.random() * (1 + (round % 20))))
      const shown = `${needle.toString('hex')} in ${chunks.map((chunk) => chunk.toString('hex')).join(' ')}`
      expect(run(needle, by, chunks, 1 + (round % 3)).equals(right), shown).to.equal(true)
    }
  })

  it('reads each byte a bounded number of times, whatever they are', () => {
    let reads = 0
    const needle = Buffer.from(`${'a'.repeat(4000)}b`)
    const chunk = Buffer.alloc(200_000, 'a')
    const counting = new Proxy(chunk, {
      get(target, key) {
        if (typeof key === 'string' && /^\d+$/.test(key)) reads += 1
        const value = Reflect.get(target, key) as unknown
        return typeof value === 'function' ? value.bind(target) : value
      }
    })
    new Search(new Needle(needle), Buffer.alloc(0)).run(counting, 0, () => true)
    expect(reads).to.be.within(chunk.length, 3 * chunk.length)
  })
})
