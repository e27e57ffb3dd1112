import { loopback } from '../../bench/address.js'
import { freePort } from './free-port.js'
import { Cases, letters } from './cases.js'
import { curl } from './curl.js'
import { startNginx } from './nginx.js'
import { must, outcome, type Report, type Trial } from './trial.js'
import { makeCertificates, Tunnel } from './tunnel.js'

interface Ports {
  readonly web: number
  readonly tls: number
  readonly redirecting: number
}

const endsHere = async ({ tls, web, redirecting }: Ports, ca: string, cases: Cases, report: Report): Promise<void> => {
  const url = `https://app.localhost:${tls}`
  await report.check('--http2: h2 by ALPN, ended at the server', async () => {
    const { text, statuses } = await curl('--http2', '--cacert', ca, `${url}/h2`)
    must(statuses.join() === '200' && text.startsWith('HTTP/2 200') && text.endsWith(letters), text.slice(0, 400))
    must(cases.last('/h2').headers['x-forwarded-proto'] === 'https', JSON.stringify(cases.last('/h2').headers))
    const old = await curl('--http1.1', '--cacert', ca, `${url}/h1`)
    must(old.text.startsWith('HTTP/1.1 200') && old.text.endsWith(letters), old.text.slice(0, 400))
    return 'HTTP/2 and HTTP/1.1; the service hears of https in X-Forwarded-Proto'
  })
  await report.check('HSTS', async () => {
    const { text } = await curl('--cacert', ca, `${url}/hsts`)
    must(/strict-transport-security: max-age=31536000/i.test(text), text.slice(0, 500))
    const plain = await curl(`http://app.localhost:${web}/hsts`)
    must(!/strict-transport-security/i.test(plain.text), plain.text)
    return 'max-age=31536000 over TLS, and not without'
  })
  await report.check('redirect', async () => {
    for (const port of [web, redirecting]) {
      const { statuses, text } = await curl('-X', 'POST', '-d', 'x=1', `http://app.localhost:${port}/moved?a=b`)
      must(statuses.join() === '308' && text.includes(`${url}/moved?a=b`), text)
      const followed = await curl('-L', '--cacert', ca, `http://app.localhost:${port}/moved?a=b`)
      must(followed.statuses.join() === '308,200' && followed.text.endsWith(letters), followed.text.slice(0, 500))
    }
    return '308 to the same path on https, from the port of http and from one of its own; curl -L arrives'
  })
  await report.check('a name that is not published', async () => {
    const { code, stderr } = await curl(
      '--cacert',
      ca,
      '--resolve',
      `absent.example.org:${tls}:${loopback}`,
      `https://absent.example.org:${tls}/`
    )
    must(code === 35 && /unrecognized name/i.test(stderr), `${code}: ${stderr}`)
    return 'the alert unrecognized_name'
  })
  await report.check('HTTP without TLS on the port of TLS', async () => {
    const { statuses, text } = await curl(`http://app.localhost:${tls}/`)
    must(statuses.join() === '400' && /TLS|https/i.test(text), text)
    return '400 that says so'
  })
}

const passesThrough = async ({ tls }: Ports, ca: string, other: string, report: Report): Promise<void> => {
  const url = `https://vault.localhost:${tls}`
  await report.check('passed through to nginx with TLS', async () => {
    for (const [version, name] of [
      ['--http2', 'HTTP/2 200'],
      ['--http1.1', 'HTTP/1.1 200']
    ] as const) {
      const { text, stderr } = await curl(version, '--cacert', ca, `${url}/`)
      must(text.startsWith(name) && text.endsWith('from the vault\n'), `${text}${stderr}`)
    }
    const wrong = await curl('--cacert', other, `${url}/`)
    must(wrong.code === 60, 'another certificate than that of the service was presented')
    return "HTTP/2 and HTTP/1.1 with the service's own certificate, which the server's authority does not vouch for"
  })
  await report.check('TLS that the service ends: session and version', async () => {
    const { stdout } = await outcome('curl', [
      '-sS',
      '--cacert',
      ca,
      '-o',
      '/dev/null',
      '-w',
      '%{ssl_verify_result} %{http_version} %{num_connects}',
      `${url}/`,
      '-o',
      '/dev/null',
      `${url}/again`
    ])
    must(stdout === '0 2 10 2 0', stdout)
    return 'two requests on one connection, verified'
  })
}

export const curlTls: Trial = {
  name: 'curl, https',
  programs: ['curl', 'nginx'],
  async use(scratch, report) {
    const [own, vault] = [
      await makeCertificates(scratch, 'app.localhost'),
      await makeCertificates(scratch, 'vault.localhost')
    ]
    const cases = new Cases()
    await cases.start()
    const nginx = await startNginx(
      scratch,
      'vault',
      `ssl_certificate ${vault.cert}; ssl_certificate_key ${vault.key}; location / { return 200 "from the vault\\n"; }`,
      '',
      ' ssl http2'
    )
    try {
      const ports = { web: await freePort(), tls: await freePort(), redirecting: await freePort() }
      const at = (port: number): object[] => [{ host: loopback, port }]
      const tunnel = await Tunnel.serve(scratch, {
        name: 'tls',
        extensions: [
          { use: '@rystra/proxy-http', options: { listen: at(ports.web) } },
          {
            use: '@rystra/proxy-https',
            options: {
              listen: at(ports.tls),
              redirect: true,
              redirectFrom: at(ports.redirecting),
              hsts: { maxAge: 31_536_000 },
              certificates: [{ cert: own.cert, key: own.key }]
            }
          }
        ]
      })
      const client = await tunnel.connect('tls', {
        proxies: [
          { name: 'app', kind: 'http', local: cases.port },
          { name: 'vault', kind: 'https', local: nginx }
        ]
      })
      report.watch(tunnel.server, client)
      await endsHere(ports, own.ca, cases, report)
      await passesThrough(ports, vault.ca, own.ca, report)
    } finally {
      cases.close()
    }
  }
}
