import { expect } from 'chai'
import { existsSync, mkdirSync } from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import { join } from 'node:path'
import { AdminApi } from '../src/admin/admin-api.js'
import { findPlace } from '../src/admin/find.js'
import { theSessions } from '../src/admin/lookup.js'
import { planText } from '../src/admin/plan.js'
import { screenOf } from '../src/admin/top.js'
import { rated, sorted } from '../src/admin/top-rows.js'
import { bytesText, refusedText, timeText } from '../src/admin/text.js'
import { eventText } from '../src/admin/event-text.js'
import type { Logger } from '@rystra/model'
import { levelLog } from '../src/log-level.js'
import { Running } from './command.js'
import { rystraHere as rystra } from './in-process.js'
import { Folders, write } from './folder.js'
import { freePort } from '@rystra/testkit'

const folders = new Folders()
const running: Running[] = []

const config = (port: number): string => `extensions:
  - use: '@rystra/auth-token'
    options: { token: a-token-of-the-test }
server:
  listen: [{ transport: tcp, host: 127.0.0.1, port: ${port} }]
  publish: { host: 127.0.0.1, ports: ['1024-65535'] }
client:
  id: office
  connect: { transport: tcp, host: 127.0.0.1, port: ${port} }
  proxies: [{ name: web, kind: tcp, local: '127.0.0.1:9' }]
  accept: { hosts: [127.0.0.1], ports: [9], kinds: [tcp] }
`

const start = (args: string[], cwd: string): Running => {
  const one = new Running(args, { cwd })
  running.push(one)
  return one
}

const json = async (args: string[], cwd: string) => {
  const { code, out, err } = await rystra([...args, '--json'], { cwd, env: { XDG_STATE_HOME: cwd } })
  return { code, err, result: JSON.parse(out) }
}

describe('rystra, a running process', () => {
  after(async () => {
    for (const one of running) {
      one.child.kill('SIGKILL')
      await one.done
    }
    folders.clean()
  })

  it('is found by its folder, seen and changed', async () => {
    const port = await freePort()
    const cwd = folders.make({ 'rystra.config.yaml': config(port) })
    const server = start(['serve', '--json'], cwd)
    await server.event('listening')
    const client = start(['connect', '--json'], cwd)
    await client.event('published')
    const at = ['--side', 'server']
    const [shown, unclear, status, level] = await Promise.all([
      rystra(['status'], { cwd }),
      rystra(['log-level', 'trace'], { cwd }),
      json(['status', ...at], cwd),
      rystra(['log-level', 'debug', ...at], { cwd })
    ])
    expect(shown.out, 'a command that shows').match(/^The server has run/)
    expect(unclear.code, 'a command that changes').equal(2)
    expect(unclear.err).include('--side server')

    const logs = start(['logs', '--side', 'server', '--json', '--type', 'session.closed', '--type', 'reset'], cwd)
    expect(status.result).deep.include({ side: 'server', state: 'running', sessions: 1, proxies: 1 })
    expect(status.result.process.pid).equal(server.child.pid)
    const api = new AdminApi(await findPlace(cwd, { side: 'server' }))
    const [clients, proxies] = await Promise.all([api.list('/v1/sessions'), api.list('/v1/proxies')])
    expect(clients[0]).deep.include({ client: 'office', identity: 'default' })
    expect(proxies[0]).deep.include({ name: 'web', state: 'published', client: 'office' })

    const more = ['tcp', '9', '--name', 'more', '--client', 'office', '--persist']
    const added = await json(['proxies:add', ...more, ...at], cwd)
    expect(added.result).deep.include({ name: 'more', state: 'published', origin: 'server', by: 'local' })
    const removed = await rystra(['proxies', 'remove', 'more', ...at], { cwd })
    expect(removed.out).equal('more was taken back.\n')
    await client.event('unpublished', ({ name }) => name === 'more')

    await logs.line(/"reset"/)
    const kicked = await rystra(['kick', 'office', ...at], { cwd })
    expect(kicked.out).match(/^The session of office \(127\.0\.0\.1:\d+\) was ended\.\n$/)
    await client.event('disconnected')
    expect(JSON.parse(await logs.line(/session.closed/)).session.client).equal('office')
    const none = await theSessions(api, 'absent', false).catch((error: { code: string }) => error)
    expect(none).include({ code: 'control.not-found' })

    expect(level.out).equal('The level of the log is debug.\n')
    const before = await api.request<{ revision: string }>('/v1/status')
    write(cwd, { 'rystra.config.yaml': `${config(port)}log: { level: warn }\n` })
    await api.request('/v1/reload', { method: 'POST' })
    await server.event('reloaded')
    const changed = await api.request<{ revision: string; logLevel: string }>('/v1/status')
    expect(changed.logLevel).equal('warn')
    expect(changed.revision).not.equal(before.revision)
    write(cwd, { 'rystra.config.yaml': config(port).replace('a-token-of-the-test', 'another-token-of-it') })
    // It dials again after the kick.
    while ((await api.list('/v1/sessions')).length === 0) await setImmediate()
    const cutting = await rystra(['plan', ...at], { cwd })
    expect(cutting.code).equal(3)
    expect(cutting.out).match(/It would end 0 open streams and 1 sessions\./)
    write(cwd, { 'rystra.config.yaml': 'server: [' })
    const plan = await rystra(['plan', ...at], { cwd })
    expect(plan.code).equal(2)
    expect(plan.out).match(/^A reload would fail, and change nothing:\n {2}\S/)
    const broken = await api.request('/v1/reload', { method: 'POST' }).catch((error: { code: string }) => error)
    expect(broken).include({ code: 'config.syntax' })
    await server.event('reloadFailed')

    const drained = await rystra(['drain', '--stop', '--timeout', '1s', ...at], { cwd })
    expect(drained.out).equal('Drained: no stream is left.\n')
    expect((await server.done).code).equal(0)
    expect(existsSync(join(cwd, '.rystra', 'admin', 'server.sock'))).equal(false)
  })

  it('is not found where none runs, or where it was not to be found', async () => {
    const cwd = folders.make()
    mkdirSync(join(cwd, '.rystra'))
    const [missing, wrong, refused] = await Promise.all([
      json(['status'], cwd),
      json(['status', '--admin', 'ftp://x'], cwd),
      json(['clients', '--admin', '127.0.0.1:9'], cwd)
    ])
    expect(missing.code).equal(4)
    expect(missing.result.error).include({ code: 'admin.not-running' })
    expect(missing.result.error.message).include('.rystra')
    expect(missing.result.error.hint).include('rystra serve')
    expect(wrong.result.error.code).equal('usage.invalid')
    expect(refused.result.error.code).equal('admin.not-running')
  })
})

describe('rystra plan', () => {
  it('writes what would become of each thing, and what would end', () => {
    const base = { revision: 'r', streams: 0, sessions: 0, same: false, problems: [], codeChanged: [] }
    expect(planText({ ...base, same: true, items: [] })).equal('A reload would change nothing.')
    const items = [
      { action: 'keep', subject: 'proxy', name: 'ssh' },
      { action: 'add', subject: 'listener', name: 'tls 0.0.0.0:7000' },
      { action: 'remove', subject: 'proxy', name: 'web', detail: 'not allowed', streams: 2 }
    ] as const
    expect(planText({ ...base, items, streams: 2, codeChanged: ['hook-acl'] })).equal(
      `A reload would do this:
  + listener tls 0.0.0.0:7000
  - proxy web: not allowed  (ends 2 streams and 0 sessions)
It would end 2 open streams and 0 sessions.
The code of hook-acl has changed: it is loaded with the next start.`
    )
  })
})

describe('the level of the log', () => {
  it('applies to logs that were made before it was changed', () => {
    const lines: string[] = []
    const line = (...args: unknown[]): void => void lines.push(String(args.at(-1)))
    const plain: Logger = { trace: line, debug: line, info: line, warn: line, error: line, child: () => plain }
    const log = levelLog(plain, 'warn')
    const child = log.child({ extension: 'a' })
    child.info('one')
    child.error('two')
    log.level = 'debug'
    child.debug({ field: 1 }, 'three')
    child.trace('four')
    log.level = 'silent'
    child.error('five')
    expect(lines).deep.equal(['two', 'three'])
  })
})

describe('rystra top', () => {
  const row = (id: string, bytes: number, streams = 1) => ({
    id,
    name: id,
    detail: '127.0.0.1:1',
    streams,
    bytesToService: bytes,
    bytesToVisitor: 0,
    since: 0
  })

  it('sorts by what was carried since the picture before', () => {
    const rows = rated([row('a', 100), row('b', 900), row('c', 50)], [row('a', 0), row('b', 890)], 2)
    expect(sorted(rows, 'rate').map(({ id, rateIn }) => [id, rateIn])).deep.equal([
      ['a', 50],
      ['b', 5],
      ['c', 0]
    ])
    expect(sorted(rows, 'bytes').map(({ id }) => id)).deep.equal(['b', 'a', 'c'])
    expect(sorted(rows, 'name').map(({ id }) => id)).deep.equal(['a', 'b', 'c'])
  })

  it('fits a terminal of 80×24, and smaller ones, whatever is shown', () => {
    const rows = rated(
      Array.from({ length: 100 }, (_, index) => row(`${index}-${'x'.repeat(200)}`, index * 1e12)),
      [],
      1
    )
    const status = {
      side: 'server',
      state: 'running',
      refused: Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`code-${index}`, index])),
      process: { uptime: 1e6, pid: 1, rss: 1e9 },
      now: 1
    }
    for (const [columns, lines] of [
      [80, 24],
      [40, 8],
      [200, 60]
    ] as const) {
      const picture = { status, view: 'streams', rows, total: 100 } as never
      const screen = screenOf({
        picture,
        rows,
        rateIn: 0,
        rateOut: 0,
        sort: 'rate',
        paused: false,
        offset: 0,
        columns,
        lines
      })
      expect(screen).length(lines)
      for (const line of screen) expect(line.length).at.most(columns)
      expect(screen.at(-1)).include('1 clients')
    }
  })

  it('writes numbers and events in plain words', () => {
    expect([0, 999, 1000, 1_500_000, 99_960_000, 999_999].map(bytesText)).deep.equal([
      '0 B',
      '999 B',
      '1.0 kB',
      '1.5 MB',
      '100 MB',
      '1.0 MB'
    ])
    expect([5000, 65_000, 3_600_000, 200_000_000].map(timeText)).deep.equal([
      '5 s',
      '1 min 5 s',
      '1 h 0 min',
      '2 d 7 h'
    ])
    expect(refusedText({ a: 1, b: 3 })).equal('4 (b 3, a 1)')
    const refused = { time: 0, what: 'session', subject: 'x\u001b[2J', error: { message: 'no' } }
    expect(eventText('refused', refused)).match(/^\d\d:\d\d:\d\d {2}refused a session of x\ufffd\[2J: no$/)
    expect(eventText('hasOwnProperty', {})).match(/hasOwnProperty$/)
  })
})
