import { expect } from 'chai'
import { fileURLToPath } from 'node:url'
import { blame } from '../src/blame.js'
import { extension, hello, provisioned } from './fixtures.js'

const framework = fileURLToPath(new URL('../../', import.meta.url))
const failed = (...frames: string[]): Error =>
  Object.assign(new Error('x'), { stack: ['Error: x', ...frames.map((frame) => `    at f (${frame})`)].join('\n') })

const extensions = [
  { name: 'mine', file: '/srv/hooks/mine.ts', packaged: false },
  { name: 'other', file: '/srv/hooks/other.ts', packaged: false },
  { name: 'acl', file: '/srv/node_modules/@acme/acl/dist/index.js', packaged: true },
  { name: 'linked', file: '/home/linked/src/index.ts', packaged: true }
]

describe('the extension whose code threw', () => {
  const rows: Readonly<Record<string, readonly [frames: readonly string[], extension?: string, contained?: boolean]>> =
    {
      'its own file': [['/srv/hooks/other.ts:3:7'], 'other', true],
      'a file beside it': [['/srv/hooks/lib/list.ts:3:7'], 'mine', true],
      'another file of a package': [['file:///srv/node_modules/@acme/acl/lib/rules.js:3:7'], 'acl', true],
      'a linked package': [['/home/linked/lib/rules.ts:3:7'], 'linked', true],
      'a library that it called': [['/srv/node_modules/ws/a.js:1:1', '/srv/hooks/mine.ts:3:7'], 'mine', true],
      'its dependency is not its code': [['/home/linked/node_modules/ws/a.js:1:1']],
      'Node alone': [['node:net:1:1']],
      'the framework that called it': [
        ['/srv/hooks/mine.ts:3:7', `${framework}session/src/session.ts:1:1`],
        'mine',
        false
      ]
    }
  for (const [what, [frames, name, contained]] of Object.entries(rows)) {
    it(`is found by ${what}`, () => {
      const found = blame(failed(...frames), extensions)
      expect(found?.extension).to.equal(name)
      if (found === undefined) return
      expect(found.contained).to.equal(contained)
      expect(found.at).to.match(/:3:7$/)
    })
  }

  it('is asked of a kernel', async () => {
    let thrown: unknown
    const make = extension('faulty', ({ hooks }) => {
      hooks.onConnect.tap(() => {})
      thrown = new Error('here')
    })
    const { kernel } = await provisioned([make()])
    expect(kernel.blame(thrown)?.at).to.match(/blame\.spec\.ts:\d+:\d+$/)
    expect(kernel.blame(new TypeError('x').message)).to.equal(undefined)
  })
})

describe('the log of a tap', () => {
  it('has file and line of its failure', async () => {
    const { calls, log } = await provisioned([
      extension('faulty', ({ hooks }) => {
        hooks.onHello.tap(() => {
          throw new Error('no')
        })
      })()
    ])
    await calls.hello(hello)
    expect(log.lines[0]?.fields['at']).to.match(/blame\.spec\.ts:\d+:\d+$/)
  })

  it('has the name of one that blocked the event loop', async () => {
    const block = (): void => {
      const start = performance.now()
      while (performance.now() - start < 1010);
    }
    const { calls, log } = await provisioned([
      extension('slow', ({ hooks }) => {
        hooks.onHello.tapPromise(async () => block())
        hooks.onHello.tapPromise(() => new Promise((resolve) => setImmediate(resolve)))
      })()
    ])
    await calls.hello(hello)
    const lines = log.lines.map(({ message, fields: { extension, hook } }) => [message, extension, hook])
    const message = 'a tap blocked the event loop: all sessions and streams waited for it'
    expect(lines).to.deep.equal([[message, 'slow', 'onHello']])
  })
})
