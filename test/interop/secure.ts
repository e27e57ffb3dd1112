/**
 * Real programs against the secure transports, through `rystra serve` and `rystra expose` as a person would start them:
 * openssl, testssl.sh, curl, nginx, haproxy, ssh as a SOCKS5 proxy, tinyproxy, tshark. Not part of `npm test`: it needs
 * Debian packages, and says aloud which it did not find.
 *
 *     npm run interop:secure              # needs a build
 */
import { execFile, execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import http from 'node:http'
import os from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { freePort, loopback } from '../bench/address.js'
import { needed, which } from '../bench/peer.js'
import { withRun } from '../bench/peers/ssh.js'
import { type Program, Scratch, untilSays } from '../bench/scratch.js'

const run = promisify(execFile)
const cli = path.resolve(import.meta.dirname, '../../cli/bin/run.js')
const token = 'interop-token-3f9c1d7e5b2a48'
const buffer = 64 * 1024 * 1024

/** A check with some programs. Answers with what to say of it; throws when it is not right. */
interface Trial {
  readonly name: string
  readonly programs: readonly string[]
  use(scratch: Scratch): Promise<string>
}

const must = (condition: boolean, what: string): void => {
  if (!condition) throw new Error(what)
}

interface Serving {
  readonly program: Program
  readonly port: number
  /** What the server prints for clients, `--to` and its value left out. */
  readonly join: readonly string[]
}

/** A server without a configuration. */
const serve = async (scratch: Scratch, transport: string, port?: number): Promise<Serving> => {
  const at = port ?? (await freePort())
  const args = [cli, 'serve', '--json', '--transport', transport, '--host', loopback, '--port', String(at)]
  const program = scratch.start(process.execPath, [...args, '--token', token], {
    cwd: scratch.dir,
    env: { ...process.env, RYSTRA_STATE: path.join(scratch.dir, 'state') }
  })
  const [, line = ''] = await untilSays(program, /(\{"event":"join".*\})/)
  const { args: join } = JSON.parse(line) as { args: string[] }
  return { program, port: at, join: join.slice(2) }
}

/** A client without a configuration. Answers with the public port of the service. */
const expose = async (
  scratch: Scratch,
  service: number,
  to: string,
  join: readonly string[],
  env: NodeJS.ProcessEnv = {}
): Promise<number> => {
  const program = scratch.start(
    process.execPath,
    [cli, 'expose', 'tcp', String(service), '--json', '--to', to, ...join],
    { cwd: scratch.dir, env: { ...process.env, ...env } }
  )
  const [, port = ''] = await untilSays(program, /"event":"published".*?"address":"[^"]*:(\d+)"/)
  return Number(port)
}

const page = 'a page behind the tunnel\n'.repeat(4000)

/** A web service of this process. */
const web = (): Promise<number> =>
  new Promise((resolve) => {
    const server = http.createServer((_, response) => response.end(page))
    server.listen(0, loopback, () => resolve((server.address() as { port: number }).port)).unref()
  })

const fetched = async (port: number): Promise<void> => {
  const { stdout } = await run('curl', ['-sS', '--max-time', '20', `http://${loopback}:${port}/`], {
    maxBuffer: buffer
  })
  must(stdout === page, 'the page is not the same')
}

const openssl: Trial = {
  name: 'openssl s_client',
  programs: ['openssl'],
  async use(scratch) {
    const said: string[] = []
    for (const transport of ['tls', 'wss']) {
      const { port } = await serve(scratch, transport)
      const connect = async (...args: string[]): Promise<string> => {
        const at = `${loopback}:${port}`
        const done = run('openssl', ['s_client', '-connect', at, '-servername', 'localhost', '-brief', ...args], {
          timeout: 15_000
        })
        done.child.stdin?.end()
        const { stdout, stderr } = await done.catch((error: { stdout: string; stderr: string }) => error)
        return stdout + stderr
      }
      const alpn = transport === 'tls' ? 'rystra/1' : 'http/1.1'
      const modern = await connect('-alpn', alpn)
      must(/TLSv1\.3/.test(modern), modern)
      for (const old of ['-tls1', '-tls1_1', '-tls1_2']) {
        const refused = await connect(old, '-alpn', alpn, '-cipher', 'ALL:@SECLEVEL=0')
        must(
          !/CONNECTION ESTABLISHED/.test(refused) && /alert protocol version|no protocols|unsupported/i.test(refused),
          refused
        )
      }
      const other = await connect('-alpn', 'imap')
      must(/no application protocol/.test(other), other)
      const [, cipher = '?'] = /Ciphersuite: (\S+)/.exec(modern) ?? []
      said.push(`${transport}: TLSv1.3, ${cipher}; TLS 1.0 to 1.2 refused by an alert, so is a foreign ALPN`)
    }
    return said.join('; ')
  }
}

const testssl: Trial = {
  name: 'testssl.sh',
  programs: ['testssl'],
  async use(scratch) {
    const said: string[] = []
    for (const transport of ['tls', 'wss']) {
      const { port } = await serve(scratch, transport)
      const file = path.join(scratch.dir, `testssl-${transport}.json`)
      const args = ['--quiet', '--warnings', 'off', '--color', '0', '--ip', 'one', '-p', '-s', '-U', '-S']
      await run(needed('testssl'), [...args, '--jsonfile', file, `${loopback}:${port}`], {
        maxBuffer: buffer,
        timeout: 280_000,
        env: { ...process.env, TERM: 'dumb' }
      }).catch(() => {})
      const found = JSON.parse(execFileSync('cat', [file], { encoding: 'utf8' })) as {
        id: string
        severity: string
        finding: string
      }[]
      const bad = found.filter(({ severity }) => ['MEDIUM', 'HIGH', 'CRITICAL', 'FATAL'].includes(severity))
      // A certificate that was made for one server, and is pinned, is signed by itself and lasts for ten years.
      const foreign = bad.filter(
        ({ id }) =>
          !/^(cert_chain_of_trust|cert_trust|cert_.*ocsp|cert_revocation|cert_expiration|cert_validityPeriod)/.test(id)
      )
      must(found.length > 20, `only ${found.length} findings: it did not get through`)
      must(foreign.length === 0, foreign.map(({ id, finding }) => `${id}: ${finding}`).join('; '))
      said.push(
        `${transport}: ${found.length} findings, none worse than LOW but ${bad.map(({ id }) => id).join(', ') || 'none'}`
      )
    }
    return said.join('; ')
  }
}

const nginx: Trial = {
  name: 'nginx in front of ws',
  programs: ['nginx', 'openssl', 'curl'],
  async use(scratch) {
    const { port, join } = await serve(scratch, 'ws')
    const { cert, key, front } = await certificate(scratch)
    const file = scratch.write(
      'nginx.conf',
      `daemon off;
pid ${scratch.dir}/nginx.pid;
error_log stderr;
events {}
http {
  access_log off;
  map $http_upgrade $connection_upgrade { default upgrade; '' close; }
  server {
    listen ${loopback}:${front} ssl;
    ssl_certificate ${cert};
    ssl_certificate_key ${key};
    ssl_protocols TLSv1.2 TLSv1.3;
    location /rystra {
      proxy_pass http://${loopback}:${port};
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $remote_addr;
    }
  }
}
`
    )
    scratch.start(needed('nginx'), ['-c', file, '-p', scratch.dir])
    return through(scratch, front, cert, join)
  }
}

const haproxy: Trial = {
  name: 'haproxy in front of ws',
  programs: ['haproxy', 'openssl', 'curl'],
  async use(scratch) {
    const { port, join } = await serve(scratch, 'ws')
    const { cert, key, front } = await certificate(scratch)
    const pem = scratch.write('front.pem', execFileSync('cat', [cert, key], { encoding: 'utf8' }))
    const file = scratch.write(
      'haproxy.cfg',
      `defaults
  mode http
  timeout connect 5s
  timeout client 1h
  timeout server 1h
  timeout tunnel 1h
frontend public
  bind ${loopback}:${front} ssl crt ${pem} alpn http/1.1
  option forwardfor
  default_backend rystra
backend rystra
  server rystra ${loopback}:${port}
`
    )
    scratch.start(needed('haproxy'), ['-db', '-f', file])
    return through(scratch, front, cert, join)
  }
}

/** A certificate for what stands in front, and a port for it. */
const certificate = async (scratch: Scratch): Promise<{ cert: string; key: string; front: number }> => {
  const [cert, key] = [path.join(scratch.dir, 'front-cert.pem'), path.join(scratch.dir, 'front-key.pem')]
  const names = ['-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1']
  const to = ['-keyout', key, '-out', cert, '-days', '2', '-subj', '/CN=localhost', ...names]
  await run('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', ...to])
  return { cert, key, front: await freePort() }
}

const listening = async (port: number): Promise<void> => {
  for (let left = 50; ; left -= 1) {
    const { status } = await run('curl', ['-sk', '-o', '/dev/null', `https://${loopback}:${port}/`]).then(
      () => ({ status: 0 }),
      ({ code }: { code: number }) => ({ status: code })
    )
    if (status !== 7) return
    if (left === 0) throw new Error(`nothing listens on ${port}`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

const through = async (scratch: Scratch, front: number, ca: string, join: readonly string[]): Promise<string> => {
  await listening(front)
  const dial = ['--dial', `ca=${ca}`, '--dial', 'tlsTerminated=true']
  const port = await expose(scratch, await web(), `wss://${loopback}:${front}`, [...join, ...dial])
  for (let count = 0; count < 5; count += 1) await fetched(port)
  return 'five pages by curl through wss, TLS ended in front'
}

const socks: Trial = {
  name: 'only a SOCKS5 proxy (ssh -D)',
  programs: ['ssh', 'sshd', 'ssh-keygen', 'curl'],
  async use(scratch) {
    const { dir } = scratch
    for (const name of ['host', 'user']) {
      execFileSync(needed('ssh-keygen'), ['-q', '-t', 'ed25519', '-N', '', '-f', path.join(dir, name)])
    }
    const [sshPort, proxy] = [await freePort(), await freePort()]
    const config = scratch.write(
      'sshd.conf',
      `ListenAddress ${loopback}:${sshPort}\nHostKey ${dir}/host\nAuthorizedKeysFile ${dir}/user.pub\nPidFile none\nStrictModes no\nUsePAM ${os.userInfo().uid === 0 ? 'yes' : 'no'}\nPasswordAuthentication no\n`
    )
    await untilSays(scratch.start(...withRun(needed('sshd'), ['-D', '-e', '-f', config])), /Server listening/)
    const known = ['-o', 'StrictHostKeyChecking=no', '-o', `UserKnownHostsFile=${dir}/known`, '-o', 'BatchMode=yes']
    const user = `${os.userInfo().username}@${loopback}`
    const forward = scratch.start('ssh', [
      '-v',
      '-F',
      'none',
      ...known,
      '-i',
      `${dir}/user`,
      '-N',
      '-D',
      `${loopback}:${proxy}`,
      '-p',
      String(sshPort),
      user
    ])
    await untilSays(forward, /Entering interactive session/)
    const said: string[] = []
    for (const transport of ['tls', 'wss', 'http2', 'tcp']) {
      const { port, join } = await serve(scratch, transport)
      const dial = ['--dial', `proxy=socks5h://${loopback}:${proxy}`]
      await fetched(await expose(scratch, await web(), `${transport}://${loopback}:${port}`, [...join, ...dial]))
      said.push(transport)
    }
    return `a page by curl each over ${said.join(', ')}`
  }
}

const httpProxy: Trial = {
  name: 'only an HTTP proxy with a password (tinyproxy)',
  programs: ['tinyproxy', 'curl'],
  async use(scratch) {
    const proxy = await freePort()
    const config = scratch.write(
      'tinyproxy.conf',
      `Port ${proxy}\nListen ${loopback}\nTimeout 600\nAllow ${loopback}\nBasicAuth anna s3cret\nLogLevel Info\n`
    )
    await untilSays(
      scratch.start(needed('tinyproxy'), ['-d', '-c', config]),
      /Starting main loop|accepting connections/i
    )
    const said: string[] = []
    for (const transport of ['tls', 'wss', 'http2', 'tcp']) {
      const { port, join } = await serve(scratch, transport)
      const env = { HTTPS_PROXY: `http://anna:s3cret@${loopback}:${proxy}`, NO_PROXY: '' }
      await fetched(await expose(scratch, await web(), `${transport}://${loopback}:${port}`, join, env))
      said.push(transport)
    }
    const { port, join } = await serve(scratch, 'tls')
    const wrong = await run(
      process.execPath,
      [cli, 'expose', 'tcp', '9', '--to', `tls://${loopback}:${port}`, ...join, '--no-retry'],
      { cwd: scratch.dir, env: { ...process.env, HTTPS_PROXY: `http://anna:wrong@${loopback}:${proxy}`, NO_PROXY: '' } }
    ).catch((error: { stderr: string }) => error)
    must(/connect\.proxy/.test(wrong.stderr) && !/wrong/.test(wrong.stderr), wrong.stderr)
    return `a page by curl each over ${said.join(', ')}, by HTTPS_PROXY alone; a wrong password is named, not shown`
  }
}

const tshark: Trial = {
  name: 'tshark looks for the token',
  programs: ['tshark', 'curl'],
  async use(scratch) {
    const said: string[] = []
    for (const transport of ['tcp', 'ws', 'h2c', 'tls', 'quic']) {
      const port = await freePort()
      const file = path.join(scratch.dir, `${transport}.pcap`)
      const capture = scratch.start(needed('tshark'), ['-i', 'lo', '-f', `port ${port}`, '-w', file, '-q'])
      await untilSays(capture, /Capturing on/)
      await new Promise((resolve) => setTimeout(resolve, 1500))
      const { join } = await serve(scratch, transport, port)
      await fetched(await expose(scratch, await web(), `${transport}://${loopback}:${port}`, join))
      await new Promise((resolve) => setTimeout(resolve, 1000))
      capture.child.kill('SIGINT')
      await new Promise((resolve) => capture.child.once('exit', resolve))
      const bytes = execFileSync('cat', [file], { maxBuffer: buffer })
      must(bytes.length > 1000, `${transport}: nothing was captured`)
      const digest = createHash('sha256').update(token)
      const forms = [
        token,
        Buffer.from(token).toString('base64').replace(/=+$/, ''),
        Buffer.from(token).toString('base64url'),
        Buffer.from(token).toString('hex'),
        digest.copy().digest('hex'),
        digest.copy().digest('base64')
      ]
      for (const form of forms) must(!bytes.includes(form), `${transport}: the token is on the wire`)
      must(!bytes.includes(digest.digest()), `${transport}: a digest of the token is on the wire`)
      // The page is, where nothing is encrypted: so the capture saw what there was to see.
      const plain = ['tcp', 'h2c'].includes(transport)
      if (plain) must(bytes.includes('a page behind the tunnel'), `${transport}: the capture missed the stream`)
      else if (transport !== 'ws')
        must(!bytes.includes('a page behind the tunnel'), `${transport}: the stream is in the clear`)
      said.push(`${transport} ${Math.round(bytes.length / 1024)} KiB`)
    }
    return `not in ${said.join(', ')}: neither as it is, nor in base64, hex or SHA-256`
  }
}

const trials = [openssl, testssl, nginx, haproxy, socks, httpProxy, tshark]
const only = process.argv.slice(2)
let failed = false
for (const trial of trials.filter(({ name }) => only.length === 0 || only.some((word) => name.includes(word)))) {
  const missing = trial.programs.filter((program) => which(program) === undefined)
  if (missing.length > 0) {
    console.log(`– ${trial.name}: skipped, ${missing.join(' and ')} not found`)
    continue
  }
  const scratch = new Scratch()
  try {
    console.log(`✔ ${trial.name}: ${await trial.use(scratch)}`)
  } catch (error) {
    failed = true
    console.log(`✖ ${trial.name}: ${(error as Error).message.slice(0, 2000)}`)
  } finally {
    await scratch.close()
  }
}
if (failed) process.exitCode = 1
