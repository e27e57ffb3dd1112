import path from 'node:path'
import { loopback } from '../../bench/address.js'
import { freePort } from './free-port.js'
import { needed, which } from '../../bench/peer.js'
import { type Scratch, untilSays } from '../../bench/scratch.js'
import { startNginx } from './nginx.js'
import { must, type Report, run, type Trial } from './trial.js'
import { resident, Tunnel } from './tunnel.js'
import { untilListens } from './until-listens.js'

const host = 'app.localhost'
const visitors = 64
const seconds = Number(process.env['RYSTRA_INTEROP_SECONDS'] ?? 8)

const found = (text: string, pattern: RegExp): string => pattern.exec(text)?.[1] ?? '?'
const rate = (text: string): string => Math.round(Number(text)).toLocaleString('en')

/** 64 connections that stay, one request after the other on each. */
const wrk = async (port: number): Promise<string> => {
  const load = (duration: number): Promise<{ stdout: string }> => {
    const how = ['-t', '1', '-c', String(visitors), '-d', `${duration}s`, '--latency']
    return run('wrk', [...how, '-H', `Host: ${host}`, `http://${loopback}:${port}/`])
  }
  // Until code is compiled that runs often; h2load does the same by itself.
  await load(3)
  const { stdout } = await load(seconds)
  must(!/Socket errors|Non-2xx/.test(stdout), stdout)
  const [p50, p99] = [50, 99].map((at) => found(stdout, new RegExp(`^\\s+${at}%\\s+(\\S+)`, 'm')))
  return `${rate(found(stdout, /Requests\/sec:\s+([\d.]+)/))} requests/s, p50 ${p50}, p99 ${p99}, errors 0`
}

/** The same, by HTTP/1.1 or HTTP/2 with prior knowledge, `streams` requests at once on each. */
const h2load = async (port: number, args: readonly string[]): Promise<string> => {
  const load = ['-t', '1', '-c', String(visitors), '-D', String(seconds), '--warm-up-time=1']
  const to = [`--connect-to=${loopback}:${port}`, `http://${host}:${port}/`]
  const { stdout } = await run('h2load', [...load, ...args, ...to])
  const [, failed, errored, timeout] = /(\d+) failed, (\d+) errored, (\d+) timeout/.exec(stdout) ?? []
  const others = /status codes: \d+ 2xx, (.*)/.exec(stdout)?.[1]
  must(Number(failed) + Number(errored) + Number(timeout) === 0 && others === '0 3xx, 0 4xx, 0 5xx', stdout)
  const [mean, max] = [/time for request:(?:\s+\S+){2}\s+(\S+)/, /time for request:\s+\S+\s+(\S+)/].map((one) =>
    found(stdout, one)
  )
  return `${rate(found(stdout, /, ([\d.]+) req\/s/))} requests/s, mean ${mean}, at most ${max}, errors 0`
}

/** frp's kind http, as it comes. */
const frp = async (scratch: Scratch, service: number): Promise<number> => {
  const [control, web] = [await freePort(), await freePort()]
  const server = scratch.write(
    'frps.toml',
    `bindAddr = "${loopback}"\nbindPort = ${control}\nvhostHTTPPort = ${web}\nproxyBindAddr = "${loopback}"\n`
  )
  const client = scratch.write(
    'frpc.toml',
    `serverAddr = "${loopback}"\nserverPort = ${control}\n[[proxies]]\nname = "app"\ntype = "http"\nlocalPort = ${service}\ncustomDomains = ["${host}"]\n`
  )
  await untilSays(scratch.start(needed('frps'), ['-c', server]), /started successfully/)
  await untilSays(scratch.start(needed('frpc'), ['-c', client]), /start proxy success/)
  return web
}

const measure = async (report: Report, name: string, port: number): Promise<void> => {
  if (report.has(`wrk, ${name}`, 'wrk')) await report.check(`wrk, ${name}`, () => wrk(port))
  if (report.has(`h2load --h1, ${name}`, 'h2load'))
    await report.check(`h2load --h1, ${name}`, () => h2load(port, ['--h1']))
}

export const load: Trial = {
  name: 'load',
  programs: ['nginx'],
  async use(scratch, report) {
    const service = await startNginx(scratch, 'load', `location / { return 200 "hello, visitor\\n"; }`)
    await measure(report, 'nginx itself', service)

    const plain = await freePort()
    scratch.start(process.execPath, [path.join(import.meta.dirname, 'plain-proxy.mjs'), String(plain), String(service)])
    await untilListens(plain)
    await measure(report, 'a plain proxy of Node, no tunnel', plain)

    const web = await freePort()
    const tunnel = await Tunnel.serve(scratch, {
      name: 'load',
      extensions: [{ use: '@rystra/proxy-http', options: { listen: [{ host: loopback, port: web }] } }]
    })
    const client = await tunnel.connect('load', { proxies: [{ name: 'app', kind: 'http', local: service }] }, false)
    const ends = [tunnel.server, client]
    report.watch(...ends)
    const before = resident(ends)
    await measure(report, 'the tunnel', web)
    if (which('h2load') !== undefined) {
      await report.check('h2load, HTTP/2, the tunnel', () => h2load(web, ['-m', '1']))
      await report.check('h2load -m 10, HTTP/2, the tunnel', () => h2load(web, ['-m', '10']))
    }
    await report.check('resident, server and client', () =>
      Promise.resolve(`before ${before}, after ${resident(ends)}`)
    )

    if (report.has('frp, kind http', 'frps', 'frpc')) await measure(report, 'frp', await frp(scratch, service))
  }
}
