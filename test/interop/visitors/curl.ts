import { createHash, randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { loopback } from '../../bench/address.js'
import { freePort } from './free-port.js'
import type { Scratch } from '../../bench/scratch.js'
import { Cases, letters } from './cases.js'
import { must, outcome, type Report, type Trial } from './trial.js'
import { Tunnel } from './tunnel.js'

/** A response as curl prints it with --include: heads of all answers, and what is behind the last. */
export interface CurlResult {
  readonly code: number
  readonly text: string
  readonly statuses: readonly string[]
  readonly stderr: string
}

export const curl = async (...args: string[]): Promise<CurlResult> => {
  const { code, stdout, stderr } = await outcome('curl', ['-sS', '-i', '--max-time', '40', ...args])
  return {
    code,
    text: stdout,
    statuses: [...stdout.matchAll(/^HTTP\/\S+ (\d{3})/gm)].map(([, one = '']) => one),
    stderr
  }
}

const uploadBytes = 30_000_000

/** A file to send, and its SHA-256. */
const upload = (scratch: Scratch): { file: string; digest: string } => {
  const bytes = randomBytes(uploadBytes)
  const file = path.join(scratch.dir, 'upload')
  writeFileSync(file, bytes)
  return { file, digest: createHash('sha256').update(bytes).digest('hex') }
}

const uploads = async (url: string, cases: Cases, scratch: Scratch, report: Report): Promise<void> => {
  const { file, digest } = upload(scratch)
  const expect = ['-H', 'Expect: 100-continue', '--expect100-timeout', '20']
  await report.check('Expect: 100-continue, accepted', async () => {
    const { statuses } = await curl('-T', file, ...expect, `${url}/accept`)
    const seen = cases.last('/accept')
    must(statuses.join() === '100,200' && seen.digest === digest, `${statuses.join()}, ${seen.bytes} bytes`)
    return '100, then 200; 30 MB arrived, checksum equal'
  })
  await report.check('Expect: 100-continue, refused with 413', async () => {
    cases.refusedBytes = 0
    const { text, statuses, code } = await curl('-T', file, ...expect, `${url}/refuse/413`)
    must(statuses.join() === '413' && text.endsWith('no, 413') && code === 0, `${code}: ${text}`)
    must(cases.refusedBytes === 0, `${cases.refusedBytes} bytes arrived all the same`)
    return '413 of the service and no 100; none of 30 MB was sent'
  })
  await report.check('Expect: 100-continue, refused with 417', async () => {
    cases.refusedBytes = 0
    const { statuses, text } = await curl('-T', file, ...expect, `${url}/refuse/417`)
    must(statuses.join() === '417' && text.endsWith('no, 417') && cases.refusedBytes === 0, text)
    const without = await curl('-T', file, '-H', 'Expect:', `${url}/refuse/417`)
    must(without.statuses.join() === '200' && cases.last('/refuse/417').digest === digest, without.text.slice(0, 300))
    return '417 of the service, nothing sent; without Expect it is taken'
  })
  await report.check('an upload in chunks', async () => {
    const { statuses } = await curl(
      '-T',
      '/dev/null',
      '-H',
      'Transfer-Encoding: chunked',
      '-H',
      'Expect:',
      `${url}/empty`
    )
    const put = await curl(
      '-X',
      'POST',
      '--data-binary',
      `@${file}`,
      '-H',
      'Transfer-Encoding: chunked',
      '-H',
      'Expect:',
      `${url}/chunks`
    )
    const seen = cases.last('/chunks')
    must(statuses.join() === '200' && put.statuses.join() === '200', put.text.slice(0, 300))
    must(seen.digest === digest && seen.headers['transfer-encoding'] === 'chunked', JSON.stringify(seen.headers))
    return '30 MB without a length, checksum equal; an empty one as well'
  })
  await report.check('an upload by HTTP/2', async () => {
    const { statuses } = await curl('--http2-prior-knowledge', '-T', file, `${url}/h2-upload`)
    must(statuses.join() === '200' && cases.last('/h2-upload').digest === digest, statuses.join())
    return '30 MB, checksum equal'
  })
}

const trailers = async (url: string, cases: Cases, report: Report): Promise<void> => {
  await report.check('trailers to the visitor', async () => {
    const pattern = /x-sum: abc123\s+x-count: 2/i
    for (const version of ['--http1.1', '--http2-prior-knowledge']) {
      const { text } = await curl(version, `${url}/trailers`)
      must(pattern.test(text.slice(text.indexOf('part two'))), `${version}: ${text}`)
    }
    return 'behind the body, by HTTP/1.1 and HTTP/2'
  })
  if (report.has('trailers to the service', 'nghttp'))
    await report.check('trailers to the service', async () => {
      const { stdout } = await outcome('nghttp', [
        '-v',
        '-d',
        '/etc/hostname',
        '--no-content-length',
        '--trailer',
        'x-check: 42',
        `${url.replace(/app\.localhost/, loopback)}/to-service`,
        '-H',
        ':authority: app.localhost'
      ])
      const seen = cases.last('/to-service')
      must(seen.trailers['x-check'] === '42', `${JSON.stringify(seen)}\n${stdout}`)
      return 'of nghttp, by HTTP/2, at a service that speaks HTTP/1.1'
    })
}

const small = async (url: string, port: number, cases: Cases, report: Report): Promise<void> => {
  await report.check('HTTP/1.1, 1.0 and HTTP/2 with prior knowledge', async () => {
    for (const [version, name] of [
      ['--http1.1', 'HTTP/1.1'],
      ['--http1.0', 'HTTP/1.'],
      ['--http2-prior-knowledge', 'HTTP/2']
    ] as const) {
      const { text, statuses } = await curl(version, `${url}/plain`)
      must(
        statuses.join() === '200' && text.startsWith(name) && text.endsWith(letters),
        `${version}: ${text.slice(0, 400)}`
      )
    }
    return 'the same body by each'
  })
  await report.check('--http2 without TLS: an offer of h2c', async () => {
    const { text, statuses } = await curl('--http2', `${url}/offer`)
    must(statuses.join() === '200' && text.endsWith(letters), text.slice(0, 400))
    must(cases.last('/offer').headers.upgrade === undefined, 'the offer was passed on to the service')
    return 'ignored, and answered by HTTP/1.1'
  })
  await report.check('HEAD, 204, 103', async () => {
    const head = await curl('-I', `${url}/head`)
    must(head.statuses.join() === '200' && /content-length: 48890/i.test(head.text), head.text)
    must(!head.text.includes('\n1\n') && cases.last('/head').method === 'HEAD', head.text)
    const nothing = await curl('--http2-prior-knowledge', `${url}/nothing`)
    must(nothing.statuses.join() === '204', nothing.text)
    const hints = await curl(`${url}/hints`)
    must(hints.statuses.join() === '103,200' && /link: <\/a\.css>/i.test(hints.text), hints.text)
    return 'the length of a body that does not come, no body, and hints before an answer'
  })
  await report.check('ranges', async () => {
    const { text, statuses } = await curl('-r', '100-199', `${url}/range`)
    must(statuses.join() === '206' && text.endsWith(`\r\n\r\n${letters.slice(100, 200)}`), text)
    const beyond = await curl('-r', '999999-1000000', `${url}/range`)
    must(beyond.statuses.join() === '416', beyond.text)
    return '206 with these 100 bytes, 416 beyond the end'
  })
  await report.check('--resolve: hosts by name', async () => {
    const ask = (host: string): Promise<CurlResult> =>
      curl('--resolve', `${host}:${port}:${loopback}`, `http://${host}:${port}/named`)
    const [named, wild, unknown] = await Promise.all(
      ['shop.example.org', 'a.b.wild.example.org', 'absent.example.org'].map(ask)
    )
    must(named?.statuses.join() === '200' && wild?.statuses.join() === '200', `${named?.text.slice(0, 300)}`)
    must(
      unknown?.statuses.join() === '404' && /nothing here under absent\.example\.org/.test(unknown.text),
      String(unknown?.text)
    )
    must(
      cases.seen.some(({ headers }) => headers.host === `shop.example.org:${port}`),
      'Host is another'
    )
    return 'an exact one, one below a wildcard, and 404 that names one that is not published'
  })
  await report.check('the handshake of a WebSocket', async () => {
    const upgrade = [
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='
    ]
    const { text } = await curl(
      '--http1.1',
      '--max-time',
      '3',
      ...upgrade.flatMap((one) => ['-H', one]),
      `${url}/socket`
    )
    must(/^HTTP\/1\.1 101/.test(text) && /s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=/.test(text), text)
    return '101, with the answer to the key of RFC 6455'
  })
}

export const curlHttp: Trial = {
  name: 'curl, http',
  programs: ['curl'],
  async use(scratch, report) {
    const cases = new Cases()
    await cases.start()
    try {
      const web = await freePort()
      const tunnel = await Tunnel.serve(scratch, {
        name: 'curl',
        extensions: [{ use: '@rystra/proxy-http', options: { listen: [{ host: loopback, port: web }] } }]
      })
      const client = await tunnel.connect('curl', {
        proxies: [
          { name: 'app', kind: 'http', local: cases.port },
          { name: 'shop', kind: 'http', local: cases.port, host: ['shop.example.org', '*.wild.example.org'] }
        ]
      })
      report.watch(tunnel.server, client)
      const url = `http://app.localhost:${web}`
      await small(url, web, cases, report)
      await trailers(url, cases, report)
      await uploads(url, cases, scratch, report)
    } finally {
      cases.close()
    }
  }
}
