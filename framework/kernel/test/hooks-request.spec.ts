import { expect } from 'chai'
import type { RequestContext, Respond, ResponseContext } from '@rystra/plugin'
import { extension, failure, provisioned, session, spec } from './fixtures.js'

const context = (): RequestContext => ({
  id: '1',
  proxy: spec,
  visitor: { host: '192.0.2.1', port: 40_000, to: { host: '192.0.2.2', port: 80 } },
  session,
  method: 'GET',
  host: 'app.example.org',
  secure: false,
  target: '/',
  headers: [['Accept', '*/*']]
})

const asking = (name: string, fn: (context: RequestContext) => unknown) =>
  extension(name, ({ hooks }) => void hooks.onRequest.tap((called) => fn(called) as Respond))()

describe('onRequest', () => {
  it('is undefined at once, without a promise, without a tap', async () => {
    expect((await provisioned([])).calls.request(context())).equal(undefined)
  })

  it('makes no promise where no tap is asynchronous and none has an answer', async () => {
    const marking = asking('marks', ({ headers }) => void headers.push(['X-A', '1']))
    const { calls } = await provisioned([marking, asking('silent', () => undefined)])
    const request = context()
    expect([calls.tapsRequests, calls.request(request)]).deep.equal([true, undefined])
    expect(request.headers.at(-1)).deep.equal(['X-A', '1'])
    const { calls: mixed } = await provisioned([
      marking,
      extension('later', ({ hooks }) => hooks.onRequest.tapPromise(async () => undefined))()
    ])
    expect(mixed.request(context())).instanceOf(Promise)
  })

  it('takes the first answer, and asks no further tap', async () => {
    let called = 0
    const respond = { respond: { status: 204 } }
    const { calls } = await provisioned([
      asking('a', ({ headers }) => void headers.push(['X-A', '1'])),
      asking('b', ({ target }) => (target === '/' ? respond : { deny: 'not here', retryAfter: 3 })),
      asking('c', () => void called++)
    ])
    const first = context()
    expect(await calls.request(first)).deep.equal(respond)
    expect(first.headers).deep.equal([
      ['Accept', '*/*'],
      ['X-A', '1']
    ])
    expect(await calls.request({ ...context(), target: '/else' })).deep.equal({ deny: 'not here', retryAfter: 3 })
    expect(called).equal(0)
  })

  const wrong: Record<string, () => unknown> = {
    throws: () => {
      throw new Error('x')
    },
    'answers a status that is invalid': () => ({ respond: { status: 99 } }),
    'answers true': () => true,
    'denies without a reason': () => ({ deny: '' })
  }
  for (const [what, fn] of Object.entries(wrong)) {
    it(`is a failure of the server, and no refusal, when a tap ${what}`, async () => {
      const { calls } = await provisioned([asking('odd', fn)])
      const error = await failure(calls.request(context()) ?? Promise.resolve(), 'hook.failed')
      expect(error.detail).equal('odd in onRequest')
    })
  }

  it('is a failure when a tap does not answer in time', async () => {
    const late = extension('late', ({ hooks }) => {
      hooks.onRequest.tapPromise({ timeout: 100 }, () => new Promise(() => {}))
    })
    const { calls, clock } = await provisioned([late()])
    const called = calls.request(context()) ?? Promise.resolve()
    clock.pass(100)
    await failure(called, 'hook.timeout')
  })

  it('goes on after a tap whose failures do not count', async () => {
    const odd = extension('odd', ({ hooks }) => {
      hooks.onRequest.tap({ onFailure: 'open' }, () => {
        throw new Error('x')
      })
    })
    const { calls } = await provisioned([odd(), asking('next', () => ({ deny: 'called' }))])
    expect(await calls.request(context())).deep.equal({ deny: 'called' })
  })
})

describe('onResponse', () => {
  const answer = (): ResponseContext => ({ request: context(), status: 200, headers: [] })

  it('asks all in their order, and fails with the first that does', async () => {
    const seen: string[] = []
    const tapping = (name: string, fn: () => void) =>
      extension(name, ({ hooks }) => {
        hooks.onResponse.tap(() => {
          seen.push(name)
          fn()
        })
      })()
    const well = await provisioned([tapping('a', () => {}), tapping('b', () => {})])
    await well.calls.response(answer())
    expect(seen.splice(0)).deep.equal(['a', 'b'])
    const ill = await provisioned([
      tapping('c', () => {
        throw new Error('x')
      }),
      tapping('d', () => {})
    ])
    await failure(ill.calls.response(answer()) ?? Promise.resolve(), 'hook.failed')
    expect(seen).deep.equal(['c'])
    expect((await provisioned([])).calls.response(answer())).equal(undefined)
  })
})
