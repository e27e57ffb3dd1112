import type { ReadySuccessor, Successor } from '@rystra/control'
import { RystraError } from '@rystra/model'
import { type Clock, defineExtension } from '@rystra/plugin'
import proxyHttp from '@rystra/proxy-http'
import { createServer, type Server } from '@rystra/server'
import { expect } from 'chai'
import { openSync } from 'node:fs'
import net from 'node:net'
import {
  ask,
  cleanUp,
  echo,
  later,
  portOf,
  preset,
  serverConfig,
  startClient,
  startService,
  visitorPort
} from './tunnel.js'

const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'done',
    ({ code }: RystraError) => code
  )

/** A process that takes over, as far as a test says. */
class Other implements Successor {
  #start!: (ready: ReadySuccessor) => void
  #fail!: (error: RystraError) => void
  readonly timeouts: number[] = []
  readonly #begun: Promise<void>
  #tellBegun!: () => void

  constructor() {
    this.#begun = new Promise((resolve) => {
      this.#tellBegun = resolve
    })
  }

  start({ timeout }: { readonly timeout: number }): Promise<ReadySuccessor> {
    this.timeouts.push(timeout)
    this.#tellBegun()
    return new Promise((resolve, reject) => {
      this.#start = resolve
      this.#fail = reject
    })
  }

  begun(): Promise<void> {
    return this.#begun
  }

  ready(take: ReadySuccessor['take'] = () => Promise.resolve(), left: ReadySuccessor['left'] = () => {}): void {
    this.#start({ pid: 4711, sockets: 2, take, left })
  }

  fail(): void {
    this.#fail(new RystraError('control.upgrade-failed', { detail: 'it ended with code 3' }))
  }
}

describe('an upgrade', () => {
  afterEach(cleanUp)

  const world = async (successor?: Successor, server: Parameters<typeof serverConfig>[0] = {}) => {
    const stopped: string[] = []
    const options = {
      preset,
      onStop: () => void stopped.push('stop'),
      ...(successor === undefined ? {} : { successor })
    }
    const made: Server = await createServer(serverConfig(server), options)
    await made.start()
    later(() => made.stop({ drain: 0 }))
    return { server: made, control: made.runtime.control, stopped }
  }

  it('that fails changes nothing, before the other process is ready and when it is to accept', async () => {
    const successor = new Other()
    const { server, control, stopped } = await world(successor)
    const client = await startClient(portOf(server), [{ name: 'x', kind: 'tcp', local: await startService(echo) }])
    const first = control.upgrade({ timeout: 1234 })
    await successor.begun()
    successor.fail()
    expect(await codeOf(first)).to.equal('control.upgrade-failed')
    const second = control.upgrade()
    while (successor.timeouts.length < 2) await new Promise((resolve) => setImmediate(resolve))
    successor.ready(() => Promise.reject(new RystraError('control.upgrade-failed', { detail: 'it has ended' })))
    expect(await codeOf(second)).to.equal('control.upgrade-failed')
    expect(successor.timeouts).to.deep.equal([1234, 60_000])
    expect(await ask(visitorPort(client, 'x'), 'still')).to.equal('still')
    await server.reload(serverConfig())
    expect(server.runtime.events.since(0)?.filter(({ type }) => type === 'upgrade.failed')).to.have.length(2)
    expect(stopped).to.deep.equal([])
  })

  it('is one at a time; what is timeouts meanwhile waits for it, and is refused by a process that was replaced', async () => {
    const successor = new Other()
    const { server, control, stopped } = await world(successor)
    const upgraded = control.upgrade()
    await successor.begun()
    expect(await codeOf(control.upgrade())).to.equal('control.busy')
    const reloaded = codeOf(control.reload(serverConfig()))
    const planned = codeOf(control.plan(serverConfig()))
    successor.ready()
    expect(await upgraded).to.deep.equal({ pid: 4711, sockets: 2, rebound: [] })
    expect([await reloaded, await planned]).to.deep.equal(['control.unavailable', 'control.unavailable'])
    expect(await codeOf(control.upgrade())).to.equal('control.unavailable')
    while (stopped.length === 0) await new Promise((resolve) => setImmediate(resolve))
    expect(server.listening).to.deep.equal([])
  })

  it('waits until the clients of the process before have come back, and names their hosts to the next one', async () => {
    const successor = new Other()
    const sockets = [{ fd: openSync('/dev/null', 'r'), host: '192.0.2.1', port: 1 }]
    const web = [proxyHttp({ listen: [{ host: '127.0.0.1', port: 0 }], baseDomain: 'example.org' })]
    const published = Promise.resolve(['web.example.org'])
    const server = await createServer(serverConfig({}, web), { preset, successor, sockets, published })
    await server.start()
    later(() => server.stop({ drain: 0 }))
    const upgraded = server.runtime.control.upgrade()
    const local = await startService(echo)
    const other = { name: 'other', kind: 'http', local, subdomain: 'other' }
    const client = await startClient(portOf(server), [other], {}, [proxyHttp()])
    expect(successor.timeouts, 'a process was started').to.deep.equal([])
    await client.publish({ name: 'web', kind: 'http', local, subdomain: 'web' })
    await successor.begun()
    let named: readonly string[] = []
    successor.ready(undefined, (published) => {
      named = published
    })
    expect((await upgraded).pid).to.equal(4711)
    const hosts = ['other.example.org', 'web.example.org']
    expect([...named].sort()).to.deep.equal([...hosts.map((host) => `http ${host}/`), ...hosts])
  })

  it('has a visitor come again that is late for a client which has left this process already', async () => {
    const successor = new Other()
    const web = [proxyHttp({ listen: [{ host: '127.0.0.1', port: 0 }], baseDomain: 'example.org' })]
    const server = await createServer(serverConfig({}, web), { preset, successor })
    await server.start()
    later(() => server.stop({ drain: 0 }))
    const local = await startService(echo)
    const api = { name: 'api', kind: 'http', local, host: 'web.example.org', path: '/api' }
    const all = { name: 'all', kind: 'http', local, host: '*.example.org' }
    const client = await startClient(portOf(server), [api], {}, [proxyHttp()])
    await startClient(portOf(server), [all], { id: 'other' }, [proxyHttp()])
    const port = Number(new URL(client.proxies[0]?.address ?? 'none:').port)
    const visitor = net.connect(port, '127.0.0.1')
    later(() => visitor.destroy())
    // Before the end of its head the connection is not idle.
    visitor.write('GET /api/x HTTP/1.1\r\nHost: web.example.org\r\n')
    while (server.connections[`127.0.0.1:${port}`] !== 1) await new Promise(setImmediate)
    const upgraded = server.runtime.control.upgrade()
    await successor.begun()
    successor.ready()
    await upgraded
    await client.stop({ drain: 0 })
    while (server.sessions.length > 1) await new Promise(setImmediate)
    visitor.write('\r\n')
    let answer = ''
    for await (const chunk of visitor) answer += String(chunk)
    expect(answer).to.match(/^HTTP\/1\.1 503 /)
    expect(answer)
      .to.match(/\r\nRetry-After: 1\r\n/)
      .and.match(/\r\nConnection: close\r\n/)
  })

  it('is refused where there is nothing to start, while it drains, and for a client', async () => {
    const { server, control } = await world()
    expect(await codeOf(control.upgrade())).to.equal('control.unavailable')
    const client = await startClient(portOf(server), [])
    expect(await codeOf(client.runtime.control.upgrade())).to.equal('control.unavailable')
    const draining = await world(new Other())
    await draining.control.drain({ timeout: 0 })
    expect(await codeOf(draining.control.upgrade())).to.equal('session.closing')
  })
})

describe('a reload with an extension whose start hangs', () => {
  afterEach(cleanUp)

  it('fails by its time, changes nothing, and holds up the next one no longer', async () => {
    const clock: Clock = {
      now: () => Date.now(),
      after: (ms, done) => {
        // The time that the kernel gives a start.
        const timer = setTimeout(done, ms === 30_000 ? 30 : ms)
        return () => clearTimeout(timer)
      }
    }
    const server = await createServer(serverConfig(), { preset, clock })
    await server.start()
    later(() => server.stop({ drain: 0 }))
    const client = await startClient(portOf(server), [{ name: 'x', kind: 'tcp', local: await startService(echo) }])
    const hangs = defineExtension({ name: 'hangs', setup: () => ({ start: () => new Promise<void>(() => {}) }) })
    const outcomes = await Promise.all([
      codeOf(server.reload(serverConfig({}, [hangs()]))),
      codeOf(server.reload(serverConfig({ drain: 1234 })))
    ])
    expect(outcomes).to.deep.equal(['extension.start-failed', 'done'])
    expect(await ask(visitorPort(client, 'x'), 'still')).to.equal('still')
  })
})

describe('a reload of an end that drains', () => {
  afterEach(cleanUp)

  it('is refused by a code, and opens nothing', async () => {
    const server = await createServer(serverConfig(), { preset })
    await server.start()
    later(() => server.stop({ drain: 0 }))
    await server.drain({ timeout: 0 })
    expect(await codeOf(server.reload(serverConfig()))).to.equal('session.closing')
    expect(server.listening).to.deep.equal([])
  })
})
