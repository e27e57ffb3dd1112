import { readFileSync } from 'node:fs'
import net from 'node:net'
import path from 'node:path'
import { loopback } from '../../bench/address.js'
import { freePort } from './free-port.js'
import { h2Answers } from './h2-frames.js'
import { startNginx } from './nginx.js'
import { host, overHttp1, overHttp2 } from './smuggling-requests.js'
import { must, type Trial } from './trial.js'
import { Tunnel } from './tunnel.js'

/** Milliseconds without a word after which nothing more is expected of a connection that stays open. */
const silenceTimeout = 400

/** Sends bytes as they are; everything that comes back until the connection ends or is silent after it said something. */
const exchange = (port: number, bytes: string | Buffer, timeout = 3000): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    const said: Buffer[] = []
    const socket = net.connect(port, loopback)
    const over = (): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve(Buffer.concat(said))
    }
    let timer = setTimeout(over, timeout)
    socket.on('data', (chunk: Buffer) => {
      said.push(chunk)
      clearTimeout(timer)
      timer = setTimeout(over, silenceTimeout)
    })
    socket.on('close', over)
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED') reject(error)
    })
    socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes)
  })

const statuses = (bytes: Buffer): string[] =>
  [...bytes.toString('latin1').matchAll(/HTTP\/1\.[01] (\d{3})/g)].map(([, status = '']) => status)

/** Three other visitors in a row: each has to get the answer to its own question. */
const canaries = async (port: number, name: string): Promise<void> => {
  for (let count = 0; count < 3; count += 1) {
    const target = `/canary-${name}-${count}`
    const answer = String(
      await exchange(port, `GET ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`, 10_000)
    )
    must(answer.startsWith('HTTP/1.1 200') && answer.endsWith(`you asked for ${target}\n`), `${target} got ${answer}`)
  }
}

const family = async (
  port: number,
  name: string,
  attacks: readonly (string | Buffer)[],
  answersOf: (bytes: Buffer) => { answers: number; how: string }
): Promise<string> => {
  const outcomes = new Map<string, number>()
  for (const [index, attack] of attacks.entries()) {
    const { answers, how } = answersOf(await exchange(port, attack))
    must(answers <= 1, `${answers} answers to ${JSON.stringify(String(attack))}`)
    outcomes.set(how, (outcomes.get(how) ?? 0) + 1)
    await canaries(port, `${name.replaceAll(/\W/g, '')}-${index}`)
  }
  const summary = [...outcomes].map(([how, count]) => `${how} ${count} times`).join(', ')
  return `${attacks.length} attacks (${summary}), never two answers; each visitor behind them got its own`
}

const h1Answers = (bytes: Buffer): { answers: number; how: string } => {
  const found = statuses(bytes)
  return { answers: found.length, how: found[0] ?? 'no answer' }
}

export const smuggling: Trial = {
  name: 'smuggling',
  programs: ['nginx'],
  async use(scratch, report) {
    const log = path.join(scratch.dir, 'requests.log')
    const service = await startNginx(
      scratch,
      'smuggling',
      `access_log ${log} seen; location / { return 200 "you asked for $request_uri\\n"; }`,
      `log_format seen '$request_method $request_uri $http_host';`
    )
    const web = await freePort()
    const tunnel = await Tunnel.serve(scratch, {
      name: 'smuggling',
      extensions: [{ use: '@rystra/proxy-http', options: { listen: [{ host: loopback, port: web }] } }]
    })
    const client = await tunnel.connect('smuggling', { proxies: [{ name: 'app', kind: 'http', local: service }] })
    report.watch(tunnel.server, client)
    await report.check('two good requests on one connection', async () => {
      const two = ['/one', '/two'].map((one) => `GET ${one} HTTP/1.1\r\nHost: ${host}\r\n\r\n`).join('')
      const found = statuses(await exchange(web, two, 10_000))
      const seen = readFileSync(log, 'utf8')
      must(found.join() === '200,200' && /GET \/one [^\n]*\nGET \/two /.test(seen), `${found.join()}: ${seen}`)
      return 'two answers, and both in the log of nginx'
    })
    for (const [name, attacks] of Object.entries(overHttp1))
      await report.check(name, () => family(web, name, attacks, h1Answers))
    for (const [name, attacks] of Object.entries(overHttp2))
      await report.check(name, () => family(web, name, attacks, h2Answers))
    await report.check('the log of nginx', () => {
      const lines = readFileSync(log, 'utf8').trimEnd().split('\n')
      const smuggled = lines.filter((line) => line.includes('smuggled'))
      must(smuggled.length === 0, smuggled.join('\n'))
      const sent = [...Object.values(overHttp1), ...Object.values(overHttp2)].flat().length
      const seen = lines.filter((line) => line.startsWith('GET /canary-'))
      must(seen.length === 3 * sent && new Set(seen).size === seen.length, `${seen.length} canaries of ${3 * sent}`)
      const odd = lines.filter((line) => !/^(GET|POST|HEAD) \/(canary-\S+|front|one|two) app\.localhost$/.test(line))
      must(odd.length === 0, odd.join('\n'))
      return Promise.resolve(`${lines.length} requests, nothing that was hidden, each of ${seen.length} visitors once`)
    })
  }
}
