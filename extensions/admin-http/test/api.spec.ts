import { adminRoute, RystraError, Type } from '@rystra/plugin'
import { expect } from 'chai'
import { FakeRuntime, tokens, withWorld, World } from './world.js'

const token = tokens.admin

describe('admin-http, the API', () => {
  it(
    'tells the state of the end, with and without TCP',
    withWorld(async (world) => {
      for (const call of [{ token }, { unix: true }]) {
        const { status, json } = await world.call('/v1/status', call)
        expect(status).equal(200)
        expect(json).deep.include({
          side: 'server',
          state: 'running',
          revision: 'r1',
          run: 'run1',
          sequence: 3,
          sessions: 1
        })
        expect(json.caller).deep.equal(
          'token' in call ? { name: 'chief', scope: 'admin' } : { name: 'local', scope: 'admin' }
        )
        expect(json.process.pid).equal(process.pid)
      }
    })
  )

  it(
    'asks why a visitor is served or not; a connection to the service needs the scope operate',
    withWorld(async (world) => {
      const at = '/v1/why?target=https%3A%2F%2Fa.test%2Fx&from=203.0.113.9'
      // The runtime of values has nothing that could be explained.
      expect((await world.call(at, { token: tokens.read })).json.code).equal('control.unavailable')
      expect((await world.call(`${at}&probe=true`, { token: tokens.operate })).json.code).equal('control.unavailable')
      expect(world.runtime.explained).deep.equal([
        { target: 'https://a.test/x', options: { probe: false, from: '203.0.113.9' } },
        { target: 'https://a.test/x', options: { probe: true, from: '203.0.113.9' } }
      ])
      expect((await world.call(`${at}&probe=true`, { token: tokens.read })).json.code).equal('admin.forbidden')
      expect((await world.call('/v1/why', { token })).json.code).equal('admin.invalid')
      expect((await world.call('/v1/why?target=a&other=b', { token })).json.code).equal('admin.invalid')
      expect((await world.call(at)).status).equal(401)
      expect(world.runtime.explained).length(2)
    })
  )

  it(
    'lists sessions and proxies without bytes of certificates and secrets of specs',
    withWorld(async (world) => {
      world.runtime.addProxy(world.runtime.addSession('s2'), 'web')
      const sessions = await world.call('/v1/sessions', { token })
      expect(sessions.json.total).equal(2)
      expect(sessions.json.items[0]).deep.include({
        id: 's1',
        identity: 'home',
        peer: '198.51.100.7:4000',
        tls: 'TLSv1.3',
        rtt: 12
      })
      expect(sessions.text).not.include('certificate')
      const proxies = await world.call('/v1/proxies?kind=tcp', { token })
      expect(proxies.json.items[0]).deep.include({ id: 's2.web', session: 's2', address: '0.0.0.0:8000', streams: 1 })
      expect(proxies.json.items[0].spec).deep.include({ local: '127.0.0.1:80' })
      expect(proxies.text).not.include('hidden')
      expect((await world.call('/v1/proxies?kind=http', { token })).json.items).deep.equal([])
      expect((await world.call('/v1/proxies/s2.web', { token })).json.name).equal('web')
      expect((await world.call('/v1/proxies/s2.nothing', { token })).json.code).equal('control.not-found')
      const { metrics, totals } = (await world.call('/v1/metrics', { token })).json
      expect(metrics[0]).deep.include({ name: 'a_total', values: [{ labels: { b: 'c' }, value: 1 }] })
      expect(totals.sessions).equal(2)
      const certificates = (await world.call('/v1/certificates?q=app', { token })).json
      expect(certificates.items).deep.equal([
        { host: 'app.example.org', source: 'acme', state: 'valid', expires: 2000, next: 1000 }
      ])
      expect((await world.call('/v1/listeners', { token })).json.items[0].refused).deep.equal({ 'auth.refused': 2 })
    })
  )

  it(
    'pages through streams that come and go: none is missed, none is told twice',
    withWorld(async (world) => {
      const info = world.runtime.addSession('s2')
      world.runtime.addStreams(info, 250)
      const seen: string[] = []
      let cursor = ''
      for (let page = 0; page < 10; page += 1) {
        const { json } = await world.call(`/v1/streams?limit=100${cursor}`, { token })
        seen.push(...json.items.map((one: { id: string }) => one.id))
        if (page === 0) {
          expect(json.total).equal(250)
          // Some that were told, and one that was not, are over by the next page.
          world.runtime.list.streams.splice(0, 50)
          world.runtime.list.streams.pop()
        }
        if (json.next === undefined) break
        cursor = `&cursor=${json.next}`
      }
      expect(seen).length(249)
      expect(new Set(seen).size).equal(249)
      const filtered = await world.call('/v1/streams?proxy=ssh&limit=1000&q=203.0.113', { token })
      expect(filtered.json.total).equal(99)
      expect((await world.call('/v1/streams?cursor=nonsense', { token })).json.code).equal('admin.invalid')
      expect((await world.call('/v1/streams?limit=50000', { token })).json.code).equal('admin.invalid')
      expect((await world.call('/v1/streams?porxy=ssh', { token })).json.code).equal('admin.invalid')
    })
  )

  it(
    'writes long pages in pieces, as the same JSON',
    withWorld(async (world) => {
      world.runtime.addStreams(world.runtime.addSession('s2'), 1700)
      const first = await world.call('/v1/streams?limit=1200', { token })
      expect(first.headers['content-type']).match(/^application\/json/)
      expect(first.json.items).length(1200)
      expect(first.json.total).equal(1700)
      const second = await world.call(`/v1/streams?limit=10000&cursor=${first.json.next}`, { token })
      expect(second.json).not.have.property('next')
      const ids = [...first.json.items, ...second.json.items].map(({ id }: { id: string }) => id)
      expect(new Set(ids).size).equal(1700)
    })
  )

  it(
    'ends sessions and streams and takes proxies back, in the name of the caller, and logs each change',
    withWorld(async (world) => {
      const info = world.runtime.addSession('s2')
      world.runtime.addProxy(info, 'web')
      world.runtime.addStreams(info, 2)
      const call = { method: 'DELETE', token: tokens.operate }
      expect((await world.call('/v1/sessions/s1', call)).status).equal(204)
      expect((await world.call('/v1/sessions/s2?final=true', call)).status).equal(204)
      expect((await world.call('/v1/streams/s2.1', call)).status).equal(204)
      expect((await world.call('/v1/proxies/s2.web', call)).status).equal(204)
      expect((await world.call('/v1/streams/s2.9', call)).json.code).equal('control.not-found')
      expect(world.runtime.closed.map(({ id, error }) => [id, error?.code])).deep.equal([
        ['s1', 'session.closing'],
        ['s2', 'session.refused'],
        ['s2.1', 'stream.reset'],
        ['s2.web', 'proxy.refused']
      ])
      expect(world.runtime.closed[0]?.error?.detail).include('operator')
      const audited = world.lines.filter(({ message }) => message === 'admin change')
      expect(
        audited.map(({ fields }) => [fields['caller'], fields['method'], fields['path'], fields['status']])
      ).deep.equal([
        ['operator', 'DELETE', '/v1/sessions/s1', 204],
        ['operator', 'DELETE', '/v1/sessions/s2', 204],
        ['operator', 'DELETE', '/v1/streams/s2.1', 204],
        ['operator', 'DELETE', '/v1/proxies/s2.web', 204],
        ['operator', 'DELETE', '/v1/streams/s2.9', 404]
      ])
    })
  )

  it(
    'answers with problem documents what this end cannot do',
    withWorld(async (world) => {
      const { status, headers, json } = await world.call('/v1/reload', { method: 'POST', token, body: {} })
      expect(status).equal(501)
      expect(headers['content-type']).include('application/problem+json')
      expect(json).include({ type: 'urn:rystra:error:control.unavailable', code: 'control.unavailable', status: 501 })
      expect(json.hint).a('string')
      expect((await world.call('/v1/nothing', { token })).json.code).equal('admin.not-found')
    })
  )

  it(
    'reloads only what is in force: an old If-Match is refused, as is the second of two at once',
    withWorld(
      async (world) => {
        const { headers, json } = await world.call('/v1/config', { token })
        expect(json).deep.equal({ server: {} })
        const etag = headers.etag as string
        const reload = (match: string) =>
          world.call('/v1/reload', { method: 'POST', token, body: { config: {} }, headers: { 'if-match': match } })
        const both = await Promise.all([reload(etag), reload(etag)])
        expect(both.map(({ status }) => status).sort()).deep.equal([200, 412])
        expect((await reload(etag)).json.code).equal('control.conflict')
        const fresh = both.find(({ status }) => status === 200)?.headers.etag as string
        expect((await reload(fresh)).status).equal(200)
      },
      () => {
        const control = {
          revision: 'r1',
          config: () => ({ server: {} }),
          reload: async (_config: object | undefined, options?: { revision?: string }) => {
            if (options?.revision !== undefined && options.revision !== runtime.control.revision)
              throw new RystraError('control.conflict')
            Object.assign(runtime.control, { revision: `${runtime.control.revision}+` })
            return { revision: runtime.control.revision } as never
          }
        }
        const runtime: FakeRuntime = new FakeRuntime(control)
        return new World(runtime)
      }
    )
  )

  it(
    'tells what is wrong with a configuration, and an unexpected error without its message',
    withWorld(
      async (world) => {
        const wrong = await world.call('/v1/reload', { method: 'POST', token, body: { config: { a: 1 } } })
        expect(wrong.status).equal(422)
        expect(wrong.json).deep.include({
          code: 'config.invalid',
          problems: [{ path: 'a', value: '1', expected: 'nothing' }]
        })
        const broken = await world.call('/v1/plan', { method: 'POST', token, body: {} })
        expect(broken.status).equal(500)
        expect(broken.text).not.include('at /home')
        expect(world.lines.some(({ level }) => level === 'error')).equal(true)
      },
      () =>
        new World(
          new FakeRuntime({
            reload: () =>
              Promise.reject(
                Object.assign(new RystraError('config.invalid'), {
                  problems: [{ path: 'a', value: '1', expected: 'nothing' }]
                })
              ),
            plan: () => Promise.reject(new Error('failed at /home/secret'))
          })
        )
    )
  )

  it(
    'is healthy and ready without a token, until it drains',
    withWorld(async (world) => {
      expect((await world.call('/v1/health')).json).deep.equal({ status: 'ok' })
      expect((await world.call('/v1/ready')).status).equal(200)
      world.runtime.happen({ type: 'drain.started', timeout: 1, streams: 0 } as never)
      expect((await world.call('/v1/ready')).status).equal(503)
      expect((await world.call('/v1/status', { token })).json.state).equal('draining')
    })
  )

  it(
    'goes without the routes of an extension that are invalid, and says so once',
    withWorld(async (world) => {
      const route = (path: string) =>
        adminRoute({ method: 'GET', path, summary: 'One.', handle: () => ({ served: true }) })
      world.routes = [
        { name: 'broken', routes: [route('/a'), route('/a')] },
        { name: 'office', routes: [route('/a')] }
      ]
      expect((await world.call('/v1/status', { token })).status).equal(200)
      expect((await world.call('/v1/extensions/office/a', { token })).json).deep.equal({ served: true })
      expect((await world.call('/v1/extensions/broken/a', { token })).status).equal(404)
      const logged = world.lines.filter(({ level }) => level === 'error')
      expect(logged.map(({ fields }) => fields['routes'])).deep.equal(['broken'])
    })
  )

  it(
    'has the routes of extensions, those of a later generation too, in the document as well',
    withWorld(async (world) => {
      world.routes = [
        {
          name: 'office',
          routes: [
            adminRoute({
              method: 'PUT',
              path: '/closed/:day',
              summary: 'Closes the office.',
              params: Type.Object({ day: Type.Integer() }),
              body: Type.Object({ why: Type.String() }, { additionalProperties: false }),
              handle: ({ params, body, caller }) => ({ day: params.day, why: body.why, by: caller.name })
            }),
            adminRoute({
              method: 'GET',
              path: '/list.txt',
              summary: 'Lists.',
              contentType: 'text/plain',
              handle: async function* () {
                yield 'a\n'
                yield 'b\n'
              } as never
            })
          ]
        }
      ]
      const path = '/v1/extensions/office/closed/3'
      const closed = await world.call(path, { method: 'PUT', token, body: { why: 'snow' } })
      expect(closed.json).deep.equal({ day: 3, why: 'snow', by: 'chief' })
      expect((await world.call(path, { method: 'PUT', token: tokens.read, body: { why: 'x' } })).status).equal(403)
      expect((await world.call(path, { method: 'PUT', token, body: { reason: 'snow' } })).json.code).equal(
        'admin.invalid'
      )
      const text = await world.call('/v1/extensions/office/list.txt', { token })
      expect(text.text).equal('a\nb\n')
      expect(text.headers['content-type']).equal('text/plain')
      const { json } = await world.call('/v1/openapi.json', { token })
      expect(json.openapi).equal('3.1.0')
      expect(Object.keys(json.paths)).include.members([
        '/v1/status',
        '/v1/events',
        '/v1/extensions/office/closed/{day}'
      ])
      world.routes = []
      expect((await world.call(path, { method: 'PUT', token, body: { why: 'snow' } })).status).equal(404)
    })
  )
})
