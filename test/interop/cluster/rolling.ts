import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import http from 'node:http'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Hosts, Program } from './hosts.js'
import { DRAIN_MS, WEB_PORT } from './scale-world.js'

const MEMBERS = ['a', 'b', 'c'] as const
/** Where visitors find the load balancer: on their own host. */
const FRONT = { host: '127.0.0.1', port: 8888 }
const LONG_STREAMS = 30
const WRK_CONNECTIONS = 16

const has = (command: string): boolean => spawnSync('which', [command]).status === 0
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** The configuration of the guide: connections that a server refuses go to another one. */
const haproxy = (hosts: Hosts): string => `defaults
  mode tcp
  retries 3
  option redispatch 1
  timeout connect 1s
  timeout client 60s
  timeout server 60s
  default-server inter 200ms fall 1 rise 2
frontend web
  bind ${FRONT.host}:${FRONT.port}
  default_backend rystra
backend rystra
  balance leastconn
${MEMBERS.map((name) => `  server ${name} ${hosts.address(name)}:${WEB_PORT} check`).join('\n')}
`

/** How a long answer ended, in milliseconds after it began. */
interface Long {
  begun: boolean
  ended: number | undefined
}

/** The three servers are stopped and started again, one after the other, while wrk and long streams go through haproxy. */
export class RollingRestart {
  readonly #hosts: Hosts
  readonly #member: (name: (typeof MEMBERS)[number]) => Program
  readonly #names: readonly string[]

  constructor(hosts: Hosts, member: (name: (typeof MEMBERS)[number]) => Program, names: readonly string[]) {
    this.#hosts = hosts
    this.#member = member
    this.#names = names
  }

  async run(say: (what: string, text: string) => void): Promise<void> {
    const missing = ['haproxy', 'wrk'].filter((one) => !has(one))
    if (missing.length > 0) {
      say('rolling restart', `skipped: there is no ${missing.join(', ')} (Debian)`)
      return
    }
    const folder = await mkdtemp(path.join(tmpdir(), 'rystra-rolling-'))
    await writeFile(path.join(folder, 'haproxy.cfg'), haproxy(this.#hosts))
    const front = spawn('haproxy', ['-db', '-f', path.join(folder, 'haproxy.cfg')], { stdio: 'ignore' })
    const fronted = once(front, 'exit')
    try {
      await pause(1500)
      await this.#under(folder, say)
    } finally {
      front.kill('SIGKILL')
      await fronted
      await rm(folder, { recursive: true })
    }
  }

  async #under(folder: string, say: (what: string, text: string) => void): Promise<void> {
    const begin = performance.now()
    const streams = this.#names.slice(0, LONG_STREAMS).map((name) => this.#long(name))
    // Each restart takes some seconds: wrk ends after all of them.
    const seconds = 3 * (DRAIN_MS / 1000 + 7)
    const [name = ''] = this.#names
    const script = path.join(folder, 'status.lua')
    await writeFile(
      script,
      'response = function(status, _, body) if status ~= 200 then print("status " .. status .. " " .. body:sub(1, 60)) end end\n'
    )
    const args = ['-s', script, `-t1`, `-c${WRK_CONNECTIONS}`, `-d${seconds}s`, '-H', `Host: ${name}`]
    const wrk = spawn('wrk', [...args, `http://${FRONT.host}:${FRONT.port}/`], { stdio: ['ignore', 'pipe', 'inherit'] })
    let text = ''
    wrk.stdout.on('data', (chunk) => {
      text += String(chunk)
    })
    const done = once(wrk, 'exit')
    await pause(2000)
    for (const each of MEMBERS) {
      await this.#member(each).end('SIGTERM')
      await this.#member(each).start()
      await pause(2000)
    }
    const took = Math.round(performance.now() - begin)
    await done
    const begun = streams.filter((one) => one.begun)
    const cut = begun.filter((one) => one.ended !== undefined).length
    for (const line of text.split('\n').filter((one) => /requests in|Socket errors|Non-2xx/.test(one)))
      say('rolling restart, wrk', line.trim())
    const counts = new Map<string, number>()
    for (const [line] of text.matchAll(/^status \d+.*$/gm)) counts.set(line, (counts.get(line) ?? 0) + 1)
    for (const [line, count] of counts) say('rolling restart, wrk', `${count} times ${line}`)
    if (!/Socket errors|Non-2xx/.test(text)) say('rolling restart, wrk', 'no error')
    say('rolling restart', `three servers in ${took} ms; ${begun.length} long streams begun, ${cut} ended by a drain`)
    for (const one of streams) one.end()
  }

  #long(name: string): Long & { end(): void } {
    const stream: Long & { end(): void } = { begun: false, ended: undefined, end: () => request.destroy() }
    const begin = performance.now()
    const over = (): void => {
      stream.ended ??= performance.now() - begin
    }
    const request = http.get({ ...FRONT, path: '/long', agent: false, headers: { host: name } }, (response) => {
      stream.begun = response.statusCode === 200
      response.on('error', over)
      response.on('close', over)
      response.resume()
    })
    request.on('error', over)
    return stream
  }
}
