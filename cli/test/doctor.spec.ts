import authToken from '@rystra/auth-token'
import { validateBase } from '@rystra/config'
import { adminSocketPath } from '@rystra/admin-http/socket'
import adminHttp from '@rystra/admin-http'
import type { Extension } from '@rystra/plugin'
import transportQuic from '@rystra/transport-quic'
import transportTls from '@rystra/transport-tls'
import { expect } from 'chai'
import { strFromU8, unzipSync } from 'fflate'
import { once } from 'node:events'
import { chmodSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import net from 'node:net'
import path from 'node:path'
import { writeBundle } from '../src/doctor/bundle.js'
import { type Examined, examine, reportText } from '../src/doctor/index.js'
import { runChecks } from '../src/doctor/run-checks.js'
import { environmentCheck } from '../src/doctor/network.js'
import { type Subject, subjectOf } from '../src/doctor/subject.js'
import { tunnelCheck } from '../src/doctor/tunnel.js'
import { withoutSecrets } from '../src/doctor/without-secrets.js'
import { createServer } from '../src/index.js'
import { RecentLines, recentLog } from '../src/recent-lines.js'
import { Folders } from './folder.js'

const token = 'a-token-of-the-test-0123456789'
const folders = new Folders()
const closing: (() => unknown)[] = []

const startServer = async (dir: string, transport: string, extension: Extension, more: readonly Extension[] = []) => {
  const server = await createServer(
    {
      extensions: [authToken({ token }), extension, ...more],
      server: { listen: [{ transport, host: '127.0.0.1', port: 0 }], publish: { host: '127.0.0.1' } }
    },
    { dir }
  )
  await server.start()
  closing.push(() => server.stop({ drain: 0 }))
  return server.listening[0] as (typeof server.listening)[number]
}

const client = (connect: object, use?: string): string =>
  JSON.stringify({
    extensions: [{ use: '@rystra/auth-token', options: { token } }, ...(use === undefined ? [] : [use])],
    client: { connect: { host: '127.0.0.1', ...connect } }
  })

const folder = (config: string): string => folders.make({ 'rystra.config.json': config })

/** `dns skip`, for each finding but those of this machine. */
const outcomes = ({ report }: Examined): string[] =>
  report.findings
    .filter(({ check }) => !/^(config|versions|state|limits)$/.test(check))
    .map(({ check, outcome }) => `${check} ${outcome}`)

const findingOf = ({ report }: Examined, check: string): string => {
  const found = report.findings.filter((one) => one.check === check && one.outcome !== 'ok')
  return found.map(({ outcome, text, hint = '' }) => `${outcome}: ${text} ${hint}`).join('; ')
}

const listenOn = async (server: net.Server): Promise<number> => {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closing.push(() => server.close())
  return (server.address() as net.AddressInfo).port
}

describe('rystra doctor', () => {
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close()
  })
  after(() => folders.clean())

  it('finds nothing wrong with a server that is reached by TLS, and reads its clock', async () => {
    const dir = folders.make()
    const { port, join } = await startServer(dir, 'tls', transportTls as Extension)
    const cwd = folder(client({ transport: 'tls', port, fingerprint: join?.['fingerprint'] }, '@rystra/transport-tls'))
    const examined = await examine(cwd, undefined, {})
    expect(outcomes(examined), reportText(examined.report)).deep.equal([
      'admin-socket skip',
      'process skip',
      'environment ok',
      'dns skip',
      'port ok',
      'tls ok',
      'tls ok',
      'tunnel ok',
      'clock ok'
    ])
    expect(examined.report.outcome).equal('ok')
    expect(reportText(examined.report)).match(/ok {3}tunnel {7}tls:\/\/127\.0\.0\.1:\d+ was reached by TLSv1\.3/)
    const other = folder(client({ transport: 'tls', port }, '@rystra/transport-tls'))
    expect(findingOf(await examine(other, undefined, {}), 'tunnel')).match(/^fail: .*not trusted.*fingerprint/)
  })

  it('examines the path of UDP for QUIC', async () => {
    const { port, join } = await startServer(folders.make(), 'quic', transportQuic as Extension)
    const connect = { transport: 'quic', host: '127.0.0.1', port, fingerprint: join?.['fingerprint'] }
    const config = validateBase({ extensions: [authToken({ token }), transportQuic() as never], client: { connect } })
    const env = { HTTPS_PROXY: 'http://user:hidden@192.0.2.1:3128' }
    const subject: Subject = { ...(await subjectOf(folders.make(), undefined, env)), config, server: connect }
    const signal = new AbortController().signal
    const found = await tunnelCheck(subject).run(signal)
    expect(found.map(({ check, outcome }) => `${check} ${outcome}`)).deep.equal(['tunnel ok', 'udp-path ok'])
    expect(found[1]?.text).match(/datagrams of \d{4,5} bytes fit/)
    const [proxied] = await environmentCheck(subject).run(signal)
    expect(proxied?.text).match(/QUIC does not go through the proxy http:\/\/192\.0\.2\.1:3128/)
    expect(proxied?.text).not.include('hidden')
    const closed: Subject = {
      ...subject,
      config: validateBase({ ...config, client: { connect: { ...connect, port: 9 } } } as never)
    }
    const limit = AbortSignal.timeout(300)
    const [unreached] = await tunnelCheck(closed).run(limit)
    expect(unreached).include({ outcome: 'fail' })
    expect(unreached?.hint).include('let UDP port 9 through')
  })

  it('says what is wrong on the way: names, ports, proxies, clocks and plain text', async () => {
    const unused = await listenOn(net.createServer())
    closing.pop()?.()
    const none = await examine(folder(client({ port: unused })), undefined, {})
    expect(findingOf(none, 'port')).match(/^fail: .*refused/i)
    expect(findingOf(none, 'tls')).include('warn: The transport tcp is not encrypted.')
    const late = http.createServer((_, response) => {
      response.sendDate = false
      response.setHeader('date', new Date(Date.now() + 3_600_000).toUTCString()).end()
    })
    const port = await listenOn(late)
    expect(findingOf(await examine(folder(client({ port })), undefined, {}), 'clock')).match(
      /^fail: The clock of this machine is (3599|36\d\d) s behind that of the server\..*NTP/
    )
    const wrong = await examine(folder(client({ port })), undefined, { all_proxy: 'gopher://x' })
    expect(findingOf(wrong, 'environment')).match(/^fail: .*all_proxy/)
  })

  it('is over in time where a server accepts and sends nothing, and where checks hang or throw', async () => {
    const sockets = new Set<net.Socket>()
    const silent = net.createServer((socket) => void sockets.add(socket.on('error', () => {})))
    const port = await listenOn(silent)
    closing.push(() => {
      for (const socket of sockets) socket.destroy()
    })
    const cwd = folder(client({ transport: 'tls', port }, '@rystra/transport-tls'))
    const examined = await examine(cwd, undefined, {}, 300)
    expect(examined.late).equal(true)
    for (const check of ['tls', 'tunnel', 'clock']) expect(findingOf(examined, check)).match(/^fail: No answer within/)
    const { findings } = await runChecks(
      [
        { name: 'a', run: () => new Promise(() => {}) },
        {
          name: 'b',
          run() {
            throw new Error('thrown at once')
          }
        }
      ],
      10
    )
    expect(findings.map(({ check, outcome }) => `${check} ${outcome}`)).deep.equal(['a fail', 'b fail'])
  })

  it('looks at the state folder, its sockets, and ports that are taken', async () => {
    const port = await listenOn(net.createServer())
    const config = { server: { listen: [{ transport: 'tcp', host: '127.0.0.1', port }] } }
    const cwd = folder(JSON.stringify({ extensions: [{ use: '@rystra/auth-token', options: { token } }], ...config }))
    const state = path.join(cwd, '.rystra')
    mkdirSync(path.join(state, 'admin'), { recursive: true, mode: 0o700 })
    writeFileSync(path.join(state, 'token'), token)
    chmodSync(path.join(state, 'token'), 0o644)
    const left = net.createServer().listen(path.join(state, 'x'))
    await once(left, 'listening')
    // A server takes its socket away when it is closed: this one is elsewhere by then.
    renameSync(path.join(state, 'x'), adminSocketPath(state, 'server'))
    left.close()
    const examined = await examine(cwd, undefined, {})
    expect(findingOf(examined, 'state')).include('warn: Others can read or write token (644)')
    expect(findingOf(examined, 'admin-socket')).match(/^warn: .*server\.sock was left over/)
    expect(findingOf(examined, 'listen')).match(/^fail: tcp 127\.0\.0\.1:\d+ cannot be bound: EADDRINUSE/)
    const missing = await examine(folders.make(), 'absent.yaml', {})
    expect(findingOf(missing, 'config')).match(/^fail: .*absent\.yaml/)
    const broken = await examine(folder('{'), undefined, {})
    expect(findingOf(broken, 'config')).match(/^fail: /)
    expect((await examine(folders.make(), undefined, { RYSTRA_STATE: '/nowhere' })).report.outcome).equal('ok')
  })

  it('bundles the report with the state, events and log of a process, and no secret', async () => {
    const cwd = folder(
      JSON.stringify({
        extensions: [{ use: '@rystra/auth-token', options: { token } }],
        server: { listen: [{ transport: 'tcp', host: '127.0.0.1', port: 7000 }] }
      })
    )
    const lines = new RecentLines()
    for (let line = 0; line < 1500; line += 1) lines.add(`{"msg":"line ${line}"}\n`)
    const { default: transportTcp } = await import('@rystra/transport-tcp')
    await startServer(cwd, 'tcp', transportTcp as Extension, [adminHttp() as never, recentLog(lines)])
    const examined = await examine(cwd, undefined, { SOME_PASSWORD: 'line 1499' })
    expect(outcomes(examined), reportText(examined.report)).include.members([
      'admin-socket ok',
      'process ok',
      'listen skip'
    ])
    const file = path.join(cwd, 'report.zip')
    const names = await writeBundle(file, examined)
    const files = unzipSync(readFileSync(file))
    expect(Object.keys(files).sort()).deep.equal([...names].sort())
    const text = (name: string): string => strFromU8(files[name] as Uint8Array)
    expect(JSON.parse(text('process-1/status.json'))).include({ side: 'server' })
    expect(text('process-1/events.json')).include('listener.opened')
    expect(text('process-1/log.jsonl')).match(/^\{"msg":"line 500"\}\n[\s\S]*"\[redacted\]"\}\n$/)
    expect(JSON.parse(text('command.json'))).include.keys('heap', 'eventLoop')
    for (const name of names) expect(text(name), name).not.include(token)
    const failed = await writeBundle(path.join(cwd, 'absent', 'x.zip'), examined).catch(
      (error: { code: string }) => error
    )
    expect(failed).include({ code: 'file.failed' })
  })

  it('takes secrets of variables, credentials of URLs and the home folder out', () => {
    const clean = withoutSecrets(
      { A_TOKEN: 'abcdefgh', A_KEY: 'abcdefghij', B_TOKEN: 'short', HOST: 'abcdefghi' },
      '/home/me'
    )
    expect(clean('abcdefghij abcdefgh short http://u:p@h/ /home/me/x')).equal(
      '[redacted] [redacted] short http://[redacted]@h/ ~/x'
    )
  })
})
