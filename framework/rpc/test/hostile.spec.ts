import { expect } from 'chai'
import { Flag, FrameType } from '../src/frame/types.js'
import { MAX_NAMES } from '../src/limits.js'
import { frame } from './frames.js'
import { hello, victim } from './victim.js'

/** What becomes of a session that receives these bytes behind a Hello. */
const outcome = (...bytes: Buffer[]): Promise<string> => {
  const { over, far } = victim()
  far.write(Buffer.concat([hello, ...bytes]))
  return over
}

const name = (text: string): string =>
  `${Buffer.from([text.length]).toString('hex')}${Buffer.from(text).toString('hex')}`

describe('bad input', () => {
  const broken: Record<string, Buffer[]> = {
    'an unknown type': [frame(0x20)],
    'a flag that a type does not have': [frame(FrameType.cancel, '', { flags: Flag.more })],
    'a second Hello': [hello],
    'a rest that is too short': [frame(FrameType.request, '01')],
    'a name with a control character': [frame(FrameType.request, `00${name('a\nb')}`)],
    'a name that is not UTF-8': [frame(FrameType.request, '0002ffff')],
    'a number without a name': [frame(FrameType.request, '00000005')],
    'an answer to nothing': [frame(FrameType.response, '00', { id: 99 })],
    'an error to nothing': [frame(FrameType.error, '00000000', { id: 99 })],
    'id 0': [frame(FrameType.request, `00${name('a')}`, { id: 0 })],
    'a time that is not a number': [frame(FrameType.ping, '7ff8000000000000')],
    'a time of no year': [frame(FrameType.ping, '7fe0000000000000')],
    'metadata longer than the frame': [frame(FrameType.request, `00${name('a')}ffff`, { flags: Flag.metadata })],
    'an empty key of metadata': [frame(FrameType.request, `00${name('a')}0003800000`, { flags: Flag.metadata })],
    'a frame of a stream': [frame(FrameType.stream, '00')],
    'more names with numbers than allowed': Array.from({ length: MAX_NAMES + 1 }, (_, index) =>
      frame(FrameType.event, `00${name(`n${index}`)}`, { flags: Flag.define, id: index + 1 })
    ),
    'a long message that ends too early': [
      frame(FrameType.request, `03${name('a')}00000010`, { flags: Flag.more }),
      frame(FrameType.data, '00')
    ],
    'a long message that does not end': [
      frame(FrameType.request, `03${name('a')}00000001`, { flags: Flag.more }),
      frame(FrameType.data, '0000', { flags: Flag.more })
    ],
    'an id that is used twice': [
      frame(FrameType.request, `03${name('a')}00000010`, { flags: Flag.more }),
      frame(FrameType.request, `00${name('a')}`)
    ]
  }
  for (const [what, frames] of Object.entries(broken)) {
    it(`${what} ends that connection with rpc.protocol`, async () =>
      expect(await outcome(...frames)).to.equal('rpc.protocol'))
  }

  it('anything but a Hello first, another version, and half a frame end it too', async () => {
    for (const bytes of [
      frame(FrameType.ping, '0000000000000000'),
      Buffer.concat([hello.subarray(0, 8), Buffer.from([9]), hello.subarray(9)])
    ]) {
      const { over, far } = victim()
      far.write(bytes)
      expect(await over).to.equal('rpc.protocol')
    }
    const { over, far } = victim()
    far.end(hello.subarray(0, 5))
    expect(await over).to.equal('rpc.protocol')
  })

  it('events without credit end it, and a peer that keeps to its credit gets it back', async () => {
    const greedy = victim({ eventCredit: 1000 })
    const one = frame(FrameType.event, Buffer.concat([Buffer.from(`03${name('e')}`, 'hex'), Buffer.alloc(600)]))
    greedy.router.listener({ name: 'e', fn: () => new Promise(() => {}) })
    greedy.far.write(Buffer.concat([hello, one, one, one]))
    expect(await greedy.over).to.equal('rpc.protocol')
    const modest = victim({ eventCredit: 1000 })
    modest.far.write(Buffer.concat([hello, one, one, one, frame(FrameType.request, `00${name('x')}`)]))
    await new Promise((resolve) =>
      modest.far.on('data', (chunk: Buffer) => chunk.includes('rpc.unknown') && resolve(undefined))
    )
    expect(modest.session.closed).to.equal(false)
  })

  it('bodies that cannot be decoded are refused one by one, and the session goes on', async () => {
    const { session, router, far, answers } = victim()
    router.handler({ name: 'a', fn: () => 1 })
    const bombs = [
      'dd7fffffff',
      'dfffffffff',
      `${'91'.repeat(500)}c0`,
      'c70172ff',
      '81a95f5f70726f746f5f5f80',
      'c1',
      '9a01',
      '81c001'
    ]
    for (const [index, bomb] of bombs.entries()) {
      far.write(
        Buffer.concat([
          ...(index === 0 ? [hello] : []),
          frame(FrameType.request, `01${name('a')}${bomb}`, { id: index + 1 })
        ])
      )
    }
    far.write(frame(FrameType.request, `02${name('a')}${Buffer.from('['.repeat(1000)).toString('hex')}`, { id: 50 }))
    far.write(frame(FrameType.request, `99${name('a')}00`, { id: 51 }))
    far.write(frame(FrameType.request, `00${name('a')}`, { id: 60 }))
    const all = (): string => Buffer.concat(answers).toString('latin1')
    while (!all().includes('\u0003\u0000\u0000\u0002\u0000\u0000\u0000\u003c')) await new Promise(setImmediate)
    expect(all().split('rpc.invalid').length - 1).to.equal(bombs.length + 2)
    expect(session.closed).to.equal(false)
  })

  it('giants are refused with rpc.too-large before their memory is there, and many at once with rpc.busy', async () => {
    const { far, answers, session } = victim({ maxMessageBytes: 100_000 })
    const long = (size: number, id: number): Buffer =>
      frame(FrameType.request, `03${name('a')}${size.toString(16).padStart(8, '0')}`, { flags: Flag.more, id })
    far.write(Buffer.concat([hello, long(0xffff_ffff, 1), ...[2, 3, 4, 5, 6].map((id) => long(100_000, id))]))
    far.write(frame(FrameType.data, '00', { id: 1 }))
    const all = (): string => Buffer.concat(answers).toString('latin1')
    while (!all().includes('rpc.busy')) await new Promise(setImmediate)
    expect(all().split('rpc.too-large').length - 1).to.equal(1)
    expect(all().split('rpc.busy').length - 1).to.equal(1)
    expect(session.closed).to.equal(false)
  })

  it('100,000 requests to a handler that never answers are bounded, and refused with rpc.busy', async () => {
    const { router, far, session } = victim({ maxQueueBytes: 64_000_000 })
    let running = 0
    router.handler({
      name: 'a',
      fn: () => {
        running += 1
        return new Promise(() => {})
      }
    })
    let bytes = 0
    far.on('data', (chunk: Buffer) => {
      bytes += chunk.length
    })
    far.write(hello)
    for (let start = 1; start <= 100_000; start += 1000) {
      const many = Array.from({ length: 1000 }, (_, index) =>
        frame(FrameType.request, `00${name('a')}`, { id: start + index })
      )
      if (!far.write(Buffer.concat(many))) await new Promise((resolve) => far.once('drain', resolve))
    }
    while (bytes < 98_000 * 40) await new Promise(setImmediate)
    expect(running).to.equal(1024)
    expect(session.closed).to.equal(false)
  })

  it('a peer that does not read its answers is refused further ones before they take all memory', async () => {
    const { router, far, session, answers } = victim({ maxQueueBytes: 200_000 })
    let [ran, settled] = [0, 0]
    router.handler({
      name: 'now',
      fn: () => {
        ran += 1
        return Buffer.alloc(10_000)
      }
    })
    router.handler({
      name: 'later',
      fn: async () => {
        await new Promise(setImmediate)
        settled += 1
        return Buffer.alloc(10_000)
      }
    })
    far.pause()
    const ask = (called: string, from: number): Buffer[] =>
      Array.from({ length: 500 }, (_, id) => frame(FrameType.request, `00${name(called)}`, { id: from + id }))
    far.write(Buffer.concat([hello, ...ask('later', 1)]))
    while (settled < 500) await new Promise(setImmediate)
    far.write(Buffer.concat(ask('now', 1000)))
    for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate)
    expect([ran, session.closed]).to.deep.equal([0, false])
    far.resume()
    const busy = (): number => Buffer.concat(answers).toString('latin1').split('rpc.busy').length - 1
    while (session.busy || busy() < 950) await new Promise(setImmediate)
    expect(busy()).to.be.within(950, 985)
  })

  const floods: Record<string, (id: number) => Buffer> = {
    Pings: (id) => frame(FrameType.ping, '0000000000000000', { id }),
    'giants that are refused': (id) => frame(FrameType.request, `03${name('a')}ffffffff`, { flags: Flag.more, id }),
    'calls that are refused': (id) => frame(FrameType.request, `00${name('nothing')}`, { id })
  }
  for (const [what, make] of Object.entries(floods)) {
    it(`a peer that floods with ${what} and reads nothing is closed before the answers take all memory`, async () => {
      const { far, over, session } = victim({ maxQueueBytes: 20_000 })
      far.pause()
      far.write(hello)
      for (let id = 1; id < 10_000 && !session.closed; id += 100) {
        far.write(Buffer.concat(Array.from({ length: 100 }, (_, index) => make(id + index))))
        await new Promise(setImmediate)
      }
      expect(await over).to.equal('rpc.busy')
    })
  }

  it('a peer that opens a session and says no Hello is closed after some time', async () =>
    expect(await victim({ openTimeout: 5 }).over).to.equal('rpc.protocol'))

  it('an id of a call that was given up may be used again while its handler still runs', async () => {
    const { router, far, session } = victim()
    let running = 0
    router.handler({
      name: 'a',
      fn: () => {
        running += 1
        return new Promise(() => {})
      }
    })
    const call = frame(FrameType.request, `00${name('a')}`)
    far.write(Buffer.concat([hello, call, frame(FrameType.cancel), call]))
    while (running < 2) await new Promise(setImmediate)
    expect(session.closed).to.equal(false)
  })

  it('a peer that cancels everything costs nothing that stays', async () => {
    const { router, far, session } = victim()
    let aborted = 0
    router.handler({
      name: 'a',
      fn: (_session, _data, { signal }) =>
        new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error(`${++aborted}`))))
    })
    const pairs = Array.from({ length: 5000 }, (_, id) => [
      frame(FrameType.request, `00${name('a')}`, { id: id + 1 }),
      frame(FrameType.cancel, '', { id: id + 1 })
    ])
    far.write(Buffer.concat([hello, ...pairs.flat()]))
    while (session.busy || aborted === 0) await new Promise(setImmediate)
    expect(aborted).to.be.within(1000, 5000)
  })
})
