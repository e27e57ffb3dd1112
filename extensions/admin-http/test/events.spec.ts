import { RystraError } from '@rystra/plugin'
import { until } from '@rystra/testkit'
import { expect } from 'chai'
import type { IncomingMessage } from 'node:http'
import net from 'node:net'
import { FakeRuntime, session, tokens, withWorld, World } from './world.js'

interface Frame {
  readonly id?: string
  readonly event: string
  // biome-ignore lint/suspicious/noExplicitAny: JSON of any shape
  readonly data: any
}

/** Reads server-sent events until there are `count`. */
const frames = async (response: IncomingMessage, count: number, found: Frame[] = []): Promise<Frame[]> => {
  let text = ''
  response.setEncoding('utf8')
  for await (const chunk of response) {
    text += chunk
    const parts = text.split('\n\n')
    text = parts.pop() ?? ''
    for (const part of parts) {
      if (part.startsWith(':')) continue
      const fields = Object.fromEntries(part.split('\n').map((line) => line.split(/: (.*)/s, 2)))
      found.push({ ...fields, data: JSON.parse(fields.data) } as Frame)
    }
    if (found.length >= count) break
  }
  return found
}

const refused = (subject: string) =>
  ({
    type: 'refused',
    what: 'session',
    subject,
    error: { code: 'auth.refused', message: 'no', retryable: false }
  }) as never

describe('admin-http, events', () => {
  it(
    'begins with the number of the last event, and tells what happens then, without bytes of certificates',
    withWorld(async (world) => {
      const response = await world.open('/v1/events?samples=true', { token: tokens.read })
      expect(response.headers['content-type']).match(/^text\/event-stream/)
      await until(() => world.runtime.subscribers.size === 2)
      world.runtime.happen({ type: 'session.opened', session: session('s9') } as never)
      world.clock.advance(1000)
      const [first, sample, opened, next] = await frames(response, 4)
      expect(first).deep.equal({ id: 'run1.3', event: 'reset', data: { run: 'run1', sequence: 3, reason: 'begin' } })
      expect(sample?.event).equal('sample')
      expect(sample).not.have.property('id')
      expect(sample?.data).deep.include({ sessions: 1, bytesToService: 10, refused: 2 })
      expect(opened).deep.include({ id: 'run1.4', event: 'session.opened' })
      expect(opened?.data.session).deep.include({ id: 's9', tls: 'TLSv1.3' })
      expect(JSON.stringify(opened)).not.include('certificate')
      expect(next?.event).equal('sample')
    })
  )

  it(
    'leaves out what the schema of a kind marks as secret, whatever its name',
    withWorld(async (world) => {
      const response = await world.open('/v1/events', { token: tokens.read })
      await until(() => world.runtime.subscribers.size === 2)
      const proxy = { name: 'web', kind: 'tcp', basicAuth: [{ user: 'a', hash: 'hidden' }] }
      world.runtime.happen({ type: 'proxy.published', session: session('s1'), proxy, spec: proxy } as never)
      const [, published] = await frames(response, 2)
      const shown = { ...proxy, basicAuth: [{ user: 'a', hash: '[redacted]' }] }
      expect(published?.data).deep.include({ proxy: shown, spec: shown })
    })
  )

  it(
    'goes on after Last-Event-ID, and asks for a new snapshot when that is gone or of another run',
    withWorld(async (world) => {
      for (const subject of ['a', 'b', 'c']) world.runtime.happen(refused(subject))
      const after = async (id: string, count: number): Promise<Frame[]> =>
        frames(await world.open('/v1/events', { token: tokens.read, headers: { 'last-event-id': id } }), count)
      expect((await after('run1.4', 2)).map(({ id, data }) => [id, data.subject])).deep.equal([
        ['run1.5', 'b'],
        ['run1.6', 'c']
      ])
      for (const id of ['run1.1', 'run0.5', 'run1.99', 'nonsense', 'run1.-1', `run1.${'9'.repeat(30)}`]) {
        const [frame] = await after(id, 1)
        expect(frame?.event, id).equal('reset')
        expect(frame?.data, id).deep.equal({ run: 'run1', sequence: 6, reason: 'gone' })
      }
    })
  )

  it(
    'tells opened and closed streams to the readers that subscriber for them',
    withWorld(async (world) => {
      const subscriber = await world.open('/v1/events?streams=true', { token: tokens.read })
      const others = await world.open('/v1/events', { token: tokens.read })
      await until(() => world.runtime.subscribers.size === 2)
      world.runtime.addStreams(session('s2'), 1)
      const { info } = world.runtime.list.streams[0] as { info: object }
      const closed = { ...info, bytesToService: 1, bytesToVisitor: 2, duration: 3, reason: 'reset' }
      world.runtime.happen({ type: 'stream.opened', stream: info } as never)
      world.runtime.happen({
        type: 'stream.closed',
        stream: { ...closed, error: new RystraError('stream.idle') }
      } as never)
      world.runtime.happen(refused('z'))
      const sent = (await frames(subscriber, 4)).slice(1)
      expect(sent.map(({ event }) => event)).deep.equal(['stream.opened', 'stream.closed', 'refused'])
      expect(sent[1]?.data.stream).deep.include({ id: 's2.0', proxy: 'web', reason: 'reset', bytesToVisitor: 2 })
      expect(sent[1]?.data.stream.error.code).equal('stream.idle')
      expect((await frames(others, 2)).map(({ event }) => event)).deep.equal(['reset', 'refused'])
    })
  )

  it(
    'drops a reader that does not read, with a line, and serves the others',
    withWorld(async (world) => {
      const stuck = net.connect(world.port, '127.0.0.1', () =>
        stuck.write(`GET /v1/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${tokens.read}\r\n\r\n`)
      )
      stuck.on('error', () => {}).pause()
      await until(() => world.runtime.subscribers.size === 2)
      const dropped = (): boolean => world.lines.some(({ message }) => /does not read/.test(message))
      for (let index = 0; index < 40_000 && !dropped(); index += 1) {
        world.runtime.happen(refused('x'.repeat(1000)))
        if (index % 100 === 0) await new Promise((resolve) => setImmediate(resolve))
        if (index % 1000 === 999) world.clock.advance(1000)
      }
      expect(dropped()).equal(true)
      expect(world.lines.find(({ message }) => /does not read/.test(message))?.fields['caller']).equal('reader')
      expect((await world.call('/v1/status', { token: tokens.read })).status).equal(200)
      // Nothing is made any more while there is no reader.
      await until(() => world.runtime.subscribers.size === 1)
      stuck.destroy()
    })
  )

  it(
    'keeps a reader that a burst was too much for, and asks for a new snapshot',
    withWorld(async (world) => {
      const response = await world.open('/v1/events', { token: tokens.read })
      await until(() => world.runtime.subscribers.size === 2)
      const found: Frame[] = []
      for (let index = 0; index < 3000; index += 1) world.runtime.happen(refused('x'.repeat(1000)))
      const read = frames(response, Number.POSITIVE_INFINITY, found)
      await until(() => found.length > 400)
      const before = found.length
      // All that was sent has been read when the other end answers something else.
      await world.call('/v1/status', { token: tokens.read })
      world.clock.advance(1000)
      await until(() => found.length > before && found.at(-1)?.event === 'reset')
      expect(found.at(-1)).deep.include({ id: 'run1.3003', data: { run: 'run1', sequence: 3003, reason: 'gone' } })
      world.runtime.happen(refused('after'))
      await until(() => found.at(-1)?.data.subject === 'after')
      await world.server.stop()
      await read
    })
  )

  it(
    'has a limit of readers: one more is sent so, and may come when another has gone',
    withWorld(
      async (world) => {
        const readers = [
          await world.open('/v1/events', { token: tokens.read }),
          await world.open('/v1/events', { token: tokens.read })
        ]
        const late = await world.call('/v1/events', { token: tokens.read })
        expect(late.json).include({ status: 503, code: 'admin.busy' })
        expect(late.headers['retry-after']).equal('10')
        readers[0]?.destroy()
        let again = await world.open('/v1/events', { token: tokens.read })
        while (again.statusCode === 503) again = await world.open('/v1/events', { token: tokens.read })
        expect(again.statusCode).equal(200)
      },
      () => new World(new FakeRuntime(), { readers: 2 })
    )
  )

  it(
    'forgets a reader that is gone before the API is made',
    withWorld(async (world) => {
      const early = net.connect(world.port, '127.0.0.1')
      early.write(`GET /v1/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${tokens.read}\r\n\r\n`, () =>
        early.destroy()
      )
      await new Promise((resolve) => early.once('close', resolve))
      expect((await world.call('/v1/status', { token: tokens.read })).status).equal(200)
      await until(() => world.runtime.subscribers.size === 1)
    })
  )

  it(
    'ends its readers when it stops',
    withWorld(async (world) => {
      const response = await world.open('/v1/events', { token: tokens.read })
      const ended = new Promise((resolve) => response.on('end', resolve).resume())
      await world.server.stop()
      await ended
      expect(world.runtime.subscribers.size).equal(0)
    })
  )
})
