import { expect } from 'chai'
import { once } from 'node:events'
import { buffer } from 'node:stream/consumers'
import { rewrite } from './setup.js'

type Rules = Parameters<typeof rewrite>[0]
type Bytes = NonNullable<Rules[number]['bytes']>[number]

const tcp = { name: 'svc', kind: 'tcp' }
const toService = (find: Bytes['find'], replace: Bytes['replace']): Rules => [
  { bytes: [{ direction: 'toService', find, replace }] }
]

const streamOf = (rules: Rules, more: { readonly hold?: number } = {}) => {
  const it = rewrite(rules, more)
  const [first] = it.open(tcp)?.toService ?? []
  if (first === undefined) throw new Error('nothing is in the path')
  return { stream: first, clock: it.clock }
}

describe('rewriting bytes', () => {
  it('replaces text and bytes, across the borders of chunks, and passes the rest on', async () => {
    const { stream } = streamOf(toService({ hex: '00ff00' }, { hex: 'cafe' }))
    const whole = Buffer.from('11 00 ff 00 00 ff 00 22 00 ff'.replaceAll(' ', ''), 'hex')
    for (const byte of whole) stream.write(Buffer.from([byte]))
    stream.end()
    expect((await buffer(stream)).toString('hex')).to.equal('11cafecafe2200ff')
  })

  it('finds what is longer than any chunk', async () => {
    const needle = 'x'.repeat(2000) + 'y'.repeat(2096)
    const { stream } = streamOf(toService(needle, 'short'))
    const whole = `<${needle}><${needle.slice(0, -1)}>`
    for (let at = 0; at < whole.length; at += 7) stream.write(whole.slice(at, at + 7))
    stream.end()
    expect((await buffer(stream)).toString()).to.equal(`<short><${needle.slice(0, -1)}>`)
  })

  it('takes out what is replaced by nothing', async () => {
    const { stream } = streamOf(toService('secret', ''))
    stream.end('a secret secret')
    expect((await buffer(stream)).toString()).to.equal('a  ')
  })

  it('passes on at once what cannot be the beginning of a match', async () => {
    const { stream, clock } = streamOf(toService('needle', 'pin'))
    stream.write('hello nee')
    const [first] = (await once(stream, 'data')) as [Buffer]
    expect(first.toString()).to.equal('hello ')
    const second = once(stream, 'data') as Promise<[Buffer]>
    stream.write('t')
    expect((await second)[0].toString()).to.equal('neet')
    expect(clock.pending, 'nothing is held').to.equal(0)
    stream.destroy()
  })

  it('releases the beginning of a match after a while, so that no reader waits for ever', async () => {
    const { stream, clock } = streamOf(toService('\r\nQUIT', 'x'), { hold: 250 })
    stream.write('ready\r\n')
    expect(((await once(stream, 'data')) as [Buffer])[0].toString()).to.equal('ready')
    const rest = once(stream, 'data') as Promise<[Buffer]>
    clock.advance(249)
    expect(clock.pending).to.equal(1)
    clock.advance(1)
    expect((await rest)[0].toString()).to.equal('\r\n')
    const more = once(stream, 'data') as Promise<[Buffer]>
    stream.write('QUIT!')
    expect((await more)[0].toString(), 'the match is over by then').to.equal('QUIT!')
    stream.destroy()
  })

  it('is not given up while output waits for its reader, as the rest of it may be held up behind that', async () => {
    const { stream, clock } = streamOf(toService('ab', 'x'), { hold: 250 })
    const parts: string[] = []
    stream.write('1a')
    await once(stream, 'readable')
    clock.advance(1000)
    stream.write('b2')
    stream.on('data', (part: Buffer) => parts.push(part.toString()))
    stream.write('a')
    await new Promise((resolve) => setImmediate(resolve))
    stream.pause()
    clock.advance(1000)
    stream.write('b3')
    stream.end()
    stream.resume()
    await once(stream, 'end')
    expect(parts.join('')).to.equal('1x2x3')
  })

  it('may hold it until the end', async () => {
    const { stream, clock } = streamOf(toService('ab', 'x'), { hold: 0 })
    stream.write('a')
    await new Promise((resolve) => setImmediate(resolve))
    expect(clock.pending).to.equal(0)
    stream.end('b')
    expect((await buffer(stream)).toString()).to.equal('x')
  })

  it('leaves no timer behind when the stream is reset', async () => {
    const { stream, clock } = streamOf(toService('ab', 'x'))
    stream.write('a')
    await new Promise((resolve) => setImmediate(resolve))
    expect(clock.pending).to.equal(1)
    stream.destroy()
    await once(stream, 'close')
    expect(clock.pending).to.equal(0)
  })

  it('makes no more than is read, however much a short match grows', async () => {
    const { stream } = streamOf(toService('a', 'b'.repeat(10_000)))
    const taken = stream.write(Buffer.alloc(10_000, 'a'))
    await new Promise((resolve) => setImmediate(resolve))
    expect(taken || stream.writableLength > 0).to.equal(true)
    expect(stream.readableLength, 'a hundred megabytes were requested').to.be.below(300_000)
    let total = 0
    stream.end('!')
    let last = ''
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      expect(stream.readableLength).to.be.below(300_000)
      total += chunk.length
      last = chunk.subarray(-1).toString()
    }
    expect([total, last]).to.deep.equal([100_000_001, '!'])
  })

  it('holds the writer back while the reader is paused', async () => {
    const { stream } = streamOf(toService('zz', 'y'))
    let written = 0
    while (stream.write(Buffer.alloc(16_384, 'q'))) {
      written += 16_384
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(written).to.be.below(400_000)
    stream.destroy()
  })

  it('carries rules out in their order, one after the other', async () => {
    const it = rewrite([
      {
        bytes: [
          { direction: 'toService', find: 'cat', replace: 'dog' },
          { direction: 'toVisitor', find: 'x', replace: 'y' }
        ]
      },
      { bytes: [{ direction: 'toService', find: 'dogdog', replace: 'two' }] }
    ])
    const path = it.open(tcp)
    expect([path?.toService.length, path?.toVisitor.length]).to.deep.equal([2, 1])
    const [first, second] = path?.toService ?? []
    if (first === undefined || second === undefined) throw new Error('missing')
    first.pipe(second)
    first.end('catdog catcat dog')
    expect((await buffer(second)).toString()).to.equal('two two dog')
  })

  it('concerns the proxies of its rules, and raw kinds unless they are named', () => {
    const rules = (more: object) => rewrite([{ bytes: [{ direction: 'toService', find: 'a', replace: 'b' }], ...more }])
    const open = (name: string, kind: string, more: object = {}): boolean =>
      rules(more).open({ name, kind }) !== undefined
    expect(['tcp', 'private'].map((kind) => open('x', kind))).to.deep.equal([true, true])
    expect(['http', 'https', 'udp'].map((kind) => open('x', kind))).to.deep.equal([false, false, false])
    expect(open('x', 'http', { kinds: ['http'] })).to.equal(true)
    expect(open('db-1', 'tcp', { proxies: ['db-*'] })).to.equal(true)
    expect(open('web', 'tcp', { proxies: ['db-*'] })).to.equal(false)
  })
})
