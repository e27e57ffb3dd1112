/**
 * Real clients and services through `rystra serve` and `rystra connect`, as a person would start them: OpenSSH, scp, iperf3,
 * wrk, Redis. Not part of `npm test`: it needs Debian packages, and says aloud which it did not find.
 *
 *     npm run interop:services              # needs a build
 *     RYSTRA_INTEROP_MIB=64 …               # less than 1 GiB by scp
 */
import { execFile, execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { closeSync, createReadStream, openSync, writeSync } from 'node:fs'
import http from 'node:http'
import os from 'node:os'
import path from 'node:path'
import { randomFillSync } from 'node:crypto'
import { promisify } from 'node:util'
import { freePort, loopback, show } from '../bench/address.js'
import { needed, which } from '../bench/peer.js'
import { withRun } from '../bench/peers/ssh.js'
import { type Program, Scratch, untilSays } from '../bench/scratch.js'

const run = promisify(execFile)
const cli = path.resolve(import.meta.dirname, '../../cli/bin/run.js')
const mebibytes = Number(process.env['RYSTRA_INTEROP_MIB'] ?? 1024)

/** A check of one program. */
interface Trial {
  readonly name: string
  readonly programs: readonly string[]
  /** Starts the service; answers with where it is. */
  service(scratch: Scratch): Promise<number>
  /** Uses it through the tunnel; answers with what to say of it. Throws when it is not right. */
  use(port: number, scratch: Scratch): Promise<string>
}

const must = (condition: boolean, what: string): void => {
  if (!condition) throw new Error(what)
}

const sha256 = async (file: string): Promise<string> => {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer)
  return hash.digest('hex')
}

const bigFile = (scratch: Scratch): string => {
  const file = path.join(scratch.dir, 'big')
  const fd = openSync(file, 'w')
  const chunk = Buffer.alloc(1024 * 1024)
  for (let index = 0; index < mebibytes; index += 1) writeSync(fd, randomFillSync(chunk))
  closeSync(fd)
  return file
}

const ssh: Trial = {
  name: 'OpenSSH',
  programs: ['ssh', 'scp', 'sshd', 'ssh-keygen'],
  async service(scratch) {
    const { dir } = scratch
    for (const name of ['host', 'user']) {
      execFileSync(needed('ssh-keygen'), ['-q', '-t', 'ed25519', '-N', '', '-f', path.join(dir, name)])
    }
    const port = await freePort()
    const root = os.userInfo().uid === 0
    const config = scratch.write(
      'sshd.conf',
      `ListenAddress ${loopback}:${port}
HostKey ${dir}/host
AuthorizedKeysFile ${dir}/user.pub
PidFile none
StrictModes no
UsePAM ${root ? 'yes' : 'no'}
PasswordAuthentication no
KbdInteractiveAuthentication no
Subsystem sftp internal-sftp
`
    )
    await untilSays(scratch.start(...withRun(needed('sshd'), ['-D', '-e', '-f', config])), /Server listening/)
    return port
  },
  async use(port, scratch) {
    const { dir } = scratch
    const options = ['BatchMode=yes', 'StrictHostKeyChecking=no', `UserKnownHostsFile=${dir}/known`].flatMap((one) => [
      '-o',
      one
    ])
    const common = ['-F', 'none', '-q', ...options, '-i', `${dir}/user`]
    const { username } = os.userInfo()
    const session = await run('ssh', [
      ...common,
      '-p',
      String(port),
      `${username}@${loopback}`,
      'echo through the tunnel; exit 3'
    ]).catch((error: { stdout: string; code: number }) => error)
    must(
      session.stdout === 'through the tunnel\n' && 'code' in session && session.code === 3,
      'the session was not carried whole'
    )
    const file = bigFile(scratch)
    const since = performance.now()
    await run('scp', [...common, '-P', String(port), file, `${username}@${loopback}:${dir}/up`])
    await run('scp', [...common, '-P', String(port), `${username}@${loopback}:${dir}/up`, `${dir}/down`])
    const seconds = (performance.now() - since) / 1000
    const sums = await Promise.all([file, `${dir}/up`, `${dir}/down`].map(sha256))
    must(new Set(sums).size === 1, `checksums differ: ${sums.join(', ')}`)
    return `a session with its exit code; scp of ${mebibytes} MiB up and down in ${seconds.toFixed(1)} s, checksums equal`
  }
}

const iperf: Trial = {
  name: 'iperf3',
  programs: ['iperf3'],
  async service(scratch) {
    const port = await freePort()
    const server = scratch.start('iperf3', ['-s', '-B', loopback, '-p', String(port), '--forceflush'])
    await untilSays(server, /listening/)
    return port
  },
  async use(port) {
    const gigabits: string[] = []
    for (const way of [[], ['-R']]) {
      const { stdout } = await run('iperf3', ['-c', loopback, '-p', String(port), '-t', '4', '-J', ...way], {
        maxBuffer: 16 * 1024 * 1024
      })
      const { end } = JSON.parse(stdout) as { end: { sum_received: { bits_per_second: number } } }
      must(end.sum_received.bits_per_second > 0, 'nothing arrived')
      gigabits.push((end.sum_received.bits_per_second / 1e9).toFixed(1))
    }
    return `${gigabits[0]} Gbit/s up, ${gigabits[1]} Gbit/s down`
  }
}

const wrk: Trial = {
  name: 'wrk',
  programs: ['wrk'],
  service: () =>
    new Promise((resolve) => {
      const server = http.createServer((_, response) => response.end('hello'))
      server.listen(0, loopback, 2048, () => resolve((server.address() as { port: number }).port))
      server.unref()
    }),
  async use(port) {
    const { stdout } = await run('wrk', [
      '-t',
      '2',
      '-c',
      '1000',
      '-d',
      '5s',
      '--latency',
      `http://${loopback}:${port}/`
    ])
    must(!/Socket errors|Non-2xx/.test(stdout), stdout)
    const [, rate = '?'] = /Requests\/sec:\s+([\d.]+)/.exec(stdout) ?? []
    const [, p99 = '?'] = /99%\s+(\S+)/.exec(stdout) ?? []
    return `1,000 clients at once, ${Math.round(Number(rate)).toLocaleString('en')} requests/s, p99 ${p99}, no error`
  }
}

const redis: Trial = {
  name: 'Redis',
  programs: ['redis-server', 'redis-cli', 'redis-benchmark'],
  async service(scratch) {
    const port = await freePort()
    const server = scratch.start('redis-server', [
      '--bind',
      loopback,
      '--port',
      String(port),
      '--save',
      '',
      '--dir',
      scratch.dir
    ])
    await untilSays(server, /Ready to accept connections/)
    return port
  },
  async use(port, scratch) {
    const value = createHash('sha256').update(scratch.dir).digest('hex').repeat(1000)
    const cliOf = async (...words: string[]): Promise<string> =>
      (await run('redis-cli', ['-h', loopback, '-p', String(port), ...words], { maxBuffer: 1 << 20 })).stdout.trimEnd()
    must((await cliOf('SET', 'key', value)) === 'OK', 'SET failed')
    must((await cliOf('GET', 'key')) === value, 'GET brought something else')
    const { stdout } = await run('redis-benchmark', [
      '-h',
      loopback,
      '-p',
      String(port),
      '-n',
      '50000',
      '-P',
      '8',
      '-t',
      'set,get',
      '-q'
    ])
    const rates = [...stdout.matchAll(/(SET|GET): ([\d.]+) requests/g)].map(
      ([, what, rate]) => `${what} ${Math.round(Number(rate))}/s`
    )
    must(rates.length === 2, stdout)
    return `a session, 64,000 bytes there and back; redis-benchmark ${rates.join(', ')}`
  }
}

const trials = [ssh, iperf, wrk, redis]

/** Both ends from configuration files, as `rystra init` writes them, in little. */
const tunnelTo = async (ports: readonly number[], muxer: string, scratch: Scratch): Promise<number[]> => {
  const token = createHash('sha256').update(`${scratch.dir}${Math.random()}`).digest('hex')
  const at = await freePort()
  const environment = { ...process.env, RYSTRA_TOKEN: token }
  const auth = (options: string): string => `extensions:\n  - use: '@rystra/auth-token'\n    options: ${options}\n`
  const server = scratch.write(
    'server.yaml',
    `${auth(`{ tokens: [{ identity: test, token: '\${RYSTRA_TOKEN}' }] }`)}server:
  listen: [{ transport: tcp, host: ${loopback}, port: ${at} }]
  publish: { host: ${loopback} }
`
  )
  const client = scratch.write(
    'client.yaml',
    `${auth(`{ token: '\${RYSTRA_TOKEN}' }`)}client:
  connect: { transport: tcp, host: ${loopback}, port: ${at}, muxer: ${muxer} }
  proxies:
${ports.map((port) => `    - { name: p${port}, kind: tcp, local: '${show({ host: loopback, port })}' }`).join('\n')}
`
  )
  const start = (command: string, config: string): Program =>
    scratch.start(process.execPath, [cli, command, '--config', config, '--json'], { env: environment })
  await untilSays(start('serve', server), /"listening"/)
  const connected = start('connect', client)
  const published: number[] = []
  for (const port of ports) {
    const match = await untilSays(connected, new RegExp(`"published"[^\\n]*"p${port}"[^\\n]*"address":"[^"]*:(\\d+)"`))
    published.push(Number(match[1]))
  }
  return published
}

let failed = 0
for (const muxer of ['yamux', 'direct']) {
  const scratch = new Scratch()
  try {
    const present = trials.filter(({ name, programs }) => {
      const missing = programs.filter((program) => which(program) === undefined)
      if (missing.length > 0) console.log(`SKIP ${name}: ${missing.join(', ')} not found`)
      return missing.length === 0
    })
    const services: number[] = []
    for (const trial of present) services.push(await trial.service(scratch))
    const ports = await tunnelTo(services, muxer, scratch)
    for (const [index, trial] of present.entries()) {
      try {
        console.log(`ok   ${muxer}: ${trial.name}: ${await trial.use(ports[index] ?? 0, scratch)}`)
      } catch (error) {
        failed += 1
        console.log(`FAIL ${muxer}: ${trial.name}: ${(error as Error).message}`)
      }
    }
  } finally {
    await scratch.close()
  }
}
process.exit(failed === 0 ? 0 : 1)
