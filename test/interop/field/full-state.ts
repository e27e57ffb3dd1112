import { execFile, execFileSync } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import net from 'node:net'
import path from 'node:path'
import { promisify } from 'node:util'
import { loopback } from '../../bench/address.js'
import type { Scratch } from '../../bench/scratch.js'
import { freePort } from '../visitors/free-port.js'
import { must, type Trial } from '../visitors/trial.js'
import { cli } from '../visitors/tunnel.js'
import { untilListens } from '../visitors/until-listens.js'
import { fill, visit } from './full-disk.js'

const run = promisify(execFile)
const token = 'full-state-token-0123456789'
const auth = { use: '@rystra/auth-token', options: { token } }

/** A server and a client that keep their state on the small disk, run by their commands. */
class World {
  readonly folder: string
  readonly #service: number
  #ports: { readonly listen: number; readonly plain: number } = { listen: 0, plain: 0 }

  constructor(
    readonly disk: string,
    service: number
  ) {
    this.folder = path.join(disk, 'server')
    this.#service = service
    for (const end of ['server', 'client']) fs.mkdirSync(path.join(disk, end))
  }

  write(drain: string): void {
    const { listen } = this.#ports
    const server = {
      listen: [{ transport: 'tcp', host: loopback, port: listen }],
      publish: { host: loopback, ports: ['1024-65535'] },
      drain
    }
    fs.writeFileSync(path.join(this.folder, 'rystra.config.json'), JSON.stringify({ extensions: [auth], server }))
  }

  async start(scratch: Scratch): Promise<void> {
    this.#ports = { listen: await freePort(), plain: await freePort() }
    const { listen, plain } = this.#ports
    this.write('5s')
    const client = {
      id: 'c',
      connect: { transport: 'tcp', host: loopback, port: listen },
      accept: { kinds: ['tcp'], hosts: [loopback], ports: ['1-65535'] },
      proxies: [{ name: 'plain', kind: 'tcp', local: this.#service, port: plain }]
    }
    const cwd = path.join(this.disk, 'client')
    fs.writeFileSync(path.join(cwd, 'rystra.config.json'), JSON.stringify({ extensions: [auth], client }))
    scratch.start(process.execPath, [cli, 'serve'], { cwd: this.folder })
    await untilListens(listen)
    scratch.start(process.execPath, [cli, 'connect'], { cwd })
    await untilListens(plain)
  }

  visit(): Promise<void> {
    return visit(this.#ports.plain)
  }

  /** The code of the error of a command, or `done`. */
  async command(...args: string[]): Promise<string> {
    try {
      await run(process.execPath, [cli, ...args, '--json'], { cwd: this.folder })
      return 'done'
    } catch (error) {
      const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string }
      return /"code":\s*"([a-z.-]+)"/.exec(stdout + stderr)?.[1] ?? `no code: ${stdout}${stderr}`
    }
  }

  async add(...flags: string[]): Promise<string> {
    return this.command(
      'proxies:add',
      'tcp',
      `${loopback}:${this.#service}`,
      '--client',
      'c',
      '--port',
      String(await freePort()),
      ...flags
    )
  }
}

const isEqual = (found: string, expected: string, what: string): void =>
  must(found === expected, `${what}: ${found}, expected ${expected}`)

const use = async (scratch: Scratch, world: World): Promise<string> => {
  await world.start(scratch)
  world.write('7s')
  const filler = path.join(world.disk, 'filler')
  fill(filler)
  isEqual(await world.command('reload'), 'done', 'a reload whose configuration cannot be kept')
  isEqual(await world.add('--name', 'kept', '--persist'), 'extension.state', 'a proxy that is to be kept')
  isEqual(await world.add('--name', 'passing'), 'done', 'a proxy that is not')
  isEqual(await world.command('log-level', 'debug'), 'done', 'the level of the log')
  isEqual(await world.command('doctor', '--bundle', 'report.zip'), 'file.failed', 'a bundle on the full disk')
  await world.visit()
  fs.rmSync(filler)
  isEqual(await world.add('--name', 'kept', '--persist'), 'done', 'the same when there is room')
  await world.visit()
  return 'writes are refused with an error code, everything else works'
}

/** The folder of state is on a disk that is full: commands of an administrator, reloads, pushed proxies. */
export const fullState: Trial = {
  name: 'full-state',
  programs: ['mount', 'umount'],
  async use(scratch, report) {
    if (process.getuid?.() !== 0) {
      report.skip('all of it', 'it needs root')
      return
    }
    const disk = path.join(scratch.dir, 'state')
    fs.mkdirSync(disk)
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=128k', 'tmpfs', disk])
    const echo = net.createServer((socket) => socket.on('error', () => {}).pipe(socket))
    echo.listen(0, loopback)
    await once(echo, 'listening')
    try {
      const { port } = echo.address() as net.AddressInfo
      await report.check('the state folder', () => use(scratch, new World(disk, port)))
    } finally {
      echo.close()
      // Programs still have files there when a check failed.
      execFileSync('umount', ['--lazy', disk])
    }
  }
}
