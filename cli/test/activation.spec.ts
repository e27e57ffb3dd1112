import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import net from 'node:net'
import { createInterface } from 'node:readline'
import type { Client } from '@rystra/client'
import { until } from '@rystra/testkit'
import { expect } from 'chai'
import { addressesOf, listenFds } from '../src/service/listen-fds.js'
import { createClient } from '../src/index.js'
import { bin, cleanEnv, nodeArgs } from './command.js'
import { Folders } from './folder.js'

const folders = new Folders()
const token = 'a-token-of-the-test'

/** Sockets that listen, as a socket unit has them, and the descriptors under which a child gets them. */
const listening = async (count: number) => {
  const servers = Array.from({ length: count }, () => net.createServer().listen(0, '127.0.0.1'))
  await Promise.all(servers.map((server) => once(server, 'listening')))
  return {
    ports: servers.map((server) => (server.address() as net.AddressInfo).port),
    fds: servers.map((server) => (server as unknown as { _handle: { fd: number } })._handle.fd),
    /** The child has them. */
    close: () => {
      for (const server of servers) server.close()
    }
  }
}

describe('sockets that systemd passes', function () {
  this.timeout(120_000)
  const ends: (() => unknown)[] = []

  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end()
    folders.clean()
  })

  it('are used by listeners and proxies, and no visitor is refused while the server is started again', async () => {
    const sockets = await listening(2)
    const [port, visitors] = sockets.ports as [number, number]
    const cwd = folders.make({
      'rystra.config.yaml': `extensions: [{ use: '@rystra/auth-token', options: { token: ${token} } }]
server:
  listen: [{ transport: tcp, host: 127.0.0.1, port: ${port} }]
  publish: { host: 127.0.0.1, ports: ['1024-65535'] }
`
    })
    // As systemd does: one command after the other gets the same sockets.
    const command = [process.execPath, ...nodeArgs, bin, 'serve', '--json', '--no-admin'].map((word) => `'${word}'`)
    const run = `sh -c "echo '{\\"event\\":\\"process\\",\\"pid\\":'\\$\\$'}'; LISTEN_PID=\\$\\$ exec ${command.join(' ')}"`
    const supervisor: ChildProcess = spawn('sh', ['-c', `${run}; ${run}`], {
      cwd,
      env: cleanEnv({ LISTEN_FDS: '2', LISTEN_FDNAMES: 'clients:visitors' }),
      stdio: ['ignore', 'pipe', 'inherit', ...sockets.fds]
    })
    sockets.close()
    let started = 0
    let pid = 0
    const up = (count: number): Promise<void> => until(() => started >= count, `process ${count}`)
    if (supervisor.stdout === null) throw new Error('no stdout')
    createInterface({ input: supervisor.stdout }).on('line', (line) => {
      const { event, pid: own } = JSON.parse(line) as { event: string; pid?: number }
      if (event === 'listening') started += 1
      if (event === 'process' && own !== undefined) pid = own
    })
    ends.push(() => {
      supervisor.kill('SIGKILL')
      process.kill(pid, 'SIGKILL')
    })
    await up(1)

    const service = net.createServer((socket) => socket.end('hello')).listen(0, '127.0.0.1')
    await once(service, 'listening')
    ends.push(() => service.close())
    const local = (service.address() as net.AddressInfo).port
    const clientConfig = {
      extensions: [{ use: '@rystra/auth-token', options: { token } }],
      client: {
        connect: { transport: 'tcp', host: '127.0.0.1', port },
        proxies: [{ name: 'x', kind: 'tcp', local, port: visitors }],
        reconnect: { min: 20, max: 100 }
      }
    }
    const client: Client = await createClient(clientConfig)
    ends.push(() => client.stop({ drain: 0 }))
    await client.start()
    expect(client.proxies.map(({ address }) => address)).deep.equal([`127.0.0.1:${visitors}`])

    const asks = async (): Promise<string> => {
      const socket = net.connect(visitors, '127.0.0.1')
      let text = ''
      for await (const chunk of socket) text += String(chunk)
      return text
    }
    expect(await asks()).equal('hello')
    const answers: string[] = []
    let over = false
    const asking = (async () => {
      while (!over) answers.push(await asks().catch((error: NodeJS.ErrnoException) => error.code ?? ''))
    })()
    process.kill(pid, 'SIGTERM')
    await up(2)
    const before = answers.length
    await until(() => answers.length >= before + 3, 'three answers')
    over = true
    await asking
    expect(new Set(answers)).deep.equal(new Set(['hello']))

    await client.stop()
    const waiting = asks()
    const back = await createClient(clientConfig)
    ends.push(() => back.stop({ drain: 0 }))
    await back.start()
    expect(await waiting, 'a visitor that came while the client was away').equal('hello')
  })

  it('are no business of a process that they were not passed to', () => {
    const env: NodeJS.ProcessEnv = { LISTEN_FDS: '1', LISTEN_PID: '1', LISTEN_FDNAMES: 'x', OTHER: 'y' }
    expect(listenFds(env)).deep.equal([])
    expect(env).deep.equal({ OTHER: 'y' })
    expect(listenFds({})).deep.equal([])
  })

  it('that are of no use are refused by a code', () => {
    for (const LISTEN_FDS of ['x', '-1', '99999']) {
      expect(() => listenFds({ LISTEN_FDS, LISTEN_PID: String(process.pid) })).throws('LISTEN_FDS')
    }
    const none = { LISTEN_FDS: '900', LISTEN_PID: String(process.pid) }
    expect(() => listenFds(none)).throws('does not listen on TCP')
  })

  it('have the addresses that they listen on', async function () {
    if (process.platform !== 'linux') this.skip()
    for (const host of ['127.0.0.1', '0.0.0.0', '::', '::1']) {
      const server = net.createServer().listen(0, host)
      await once(server, 'listening')
      const { fd } = (server as unknown as { _handle: { fd: number } })._handle
      expect(addressesOf([fd])).deep.equal([{ host, port: (server.address() as net.AddressInfo).port }])
      server.close()
    }
  })
})
