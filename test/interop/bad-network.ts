/**
 * tls with yamux beside quic on a bad line: 50 ms of delay (round trip) and 1 % of loss, on a line of our own between two network
 * namespaces. Not part of `npm test`: it needs root, iproute2, ping, socat and iperf3, and says aloud what it did not find.
 *
 *     npm run interop:bad-network              # needs a build
 */
import { type ChildProcess, execFile, execFileSync, fork } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { promisify } from 'node:util'
import { which } from '../bench/peer.js'
import { type Program, Scratch, untilSays } from '../bench/scratch.js'

const run = promisify(execFile)
const cli = path.resolve(import.meta.dirname, '../../cli/bin/run.js')
const end = path.resolve(import.meta.dirname, 'bad-network-end.ts')
const loader = ['--conditions=rystra-source', '--import=tsx']
const token = 'line-token-7d51b0c2e9'
const [server, client] = [`rystra-a-${process.pid}`, `rystra-b-${process.pid}`]
/** What an earlier run left behind, one that was killed, is not in the way. */
const subnet = `10.${100 + (process.pid % 100)}`
const [serverHost, clientHost] = [`${subnet}.77.1`, `${subnet}.77.2`]

const ip = (...words: string[]): void => {
  execFileSync('ip', words, { stdio: ['ignore', 'ignore', 'pipe'] })
}

const inside = (namespace: string, ...command: string[]): [string, string[]] => [
  'ip',
  ['netns', 'exec', namespace, ...command]
]

/** The two cables from the namespaces to the line: host here, host there. */
const cables = [
  {
    namespace: server,
    here: `${subnet}.78.1`,
    there: `${subnet}.78.2`,
    host: serverHost,
    name: `ra${process.pid % 10_000}`
  },
  {
    namespace: client,
    here: `${subnet}.79.1`,
    there: `${subnet}.79.2`,
    host: clientHost,
    name: `rb${process.pid % 10_000}`
  }
]
const linePort = 7999

/** Both ways have the delay of half a round trip, and the loss. */
const shape = (line: ChildProcess, delay: number, loss: number): Promise<unknown> => {
  const applied = once(line, 'message')
  line.send({ delay: delay / 2, loss: loss / 100 })
  return applied
}

const setUp = async (scratch: Scratch): Promise<ChildProcess> => {
  for (const { namespace, here, there, name } of cables) {
    ip('netns', 'add', namespace)
    ip('link', 'add', name, 'type', 'veth', 'peer', 'name', 'cable', 'netns', namespace)
    ip('addr', 'add', `${here}/30`, 'dev', name)
    ip('link', 'set', name, 'mtu', '1600', 'up')
    ip('-n', namespace, 'addr', 'add', `${there}/30`, 'dev', 'cable')
    ip('-n', namespace, 'link', 'set', 'cable', 'mtu', '1600', 'up')
    ip('-n', namespace, 'link', 'set', 'lo', 'up')
  }
  const hosts = cables.map(({ here }) => here)
  const line = fork(path.resolve(import.meta.dirname, 'bad-line.ts'), [...hosts, String(linePort)], {
    execArgv: loader
  })
  scratch.adopt(line, 'the line')
  await once(line, 'message')
  for (const { namespace, here, there, host } of cables) {
    const tun = `TUN:${host}/24,up,tun-name=line,iff-no-pi`
    scratch.start(
      ...inside(
        namespace,
        'socat',
        tun,
        `UDP:${here}:${linePort},bind=${there}:${linePort},so-rcvbuf=4000000,so-sndbuf=4000000`
      )
    )
  }
  for (const { namespace } of cables) {
    for (let left = 50; ; left -= 1) {
      try {
        ip('-n', namespace, 'link', 'set', 'line', 'mtu', '1500', 'txqueuelen', '5000')
        break
      } catch (error) {
        if (left === 0) throw error
        await new Promise((resolve) => setTimeout(resolve, 100))
      }
    }
  }
  // Each end has to speak once, so that the line knows where it is.
  const first = [
    inside(server, 'ping', '-c', '1', '-W', '1', clientHost),
    inside(client, 'ping', '-c', '1', '-W', '1', serverHost)
  ]
  for (const ping of first) await run(...ping).catch(() => {})
  await run(...inside(client, 'ping', '-c', '2', '-W', '2', serverHost))
  return line
}

const start = (scratch: Scratch, namespace: string, ...command: string[]): Program => {
  const [file, args] = inside(namespace, ...command)
  return scratch.start(file, args, {
    cwd: scratch.dir,
    env: { ...process.env, RYSTRA_STATE: path.join(scratch.dir, 'state') }
  })
}

const node = (...words: string[]): string[] => [process.execPath, ...words]
const ask = (task: object): string[] => [process.execPath, ...loader, end, JSON.stringify(task)]

const answerOf = async <Answer>(namespace: string, task: object): Promise<Answer> => {
  const [file, args] = inside(namespace, ...ask(task))
  const { stdout } = await run(file, args, { timeout: 120_000, cwd: path.resolve(import.meta.dirname, '../..') })
  return JSON.parse(stdout) as Answer
}

/** A tunnel; answers with the public ports of an echo service and of iperf3. */
const tunnel = async (scratch: Scratch, way: string): Promise<{ echo: number; iperf: number }> => {
  const [transport = '', muxer] = way.split('+')
  const echo = scratch.start(...inside(client, ...ask({ do: 'echo', host: '127.0.0.1', port: 0 })), {
    cwd: path.resolve(import.meta.dirname, '../..')
  })
  const [, echoPort = ''] = await untilSays(echo, /"port":(\d+)/)
  await untilSays(start(scratch, client, 'iperf3', '-s', '-B', '127.0.0.1', '-p', '5201', '--forceflush'), /listening/)
  const serving = start(
    scratch,
    server,
    ...node(cli, 'serve', '--json', '--transport', transport, '--port', '7000', '--token', token)
  )
  const [, line = ''] = await untilSays(serving, /(\{"event":"join".*\})/)
  const { args } = JSON.parse(line) as { args: string[] }
  const expose = async (service: string): Promise<number> => {
    const to = [
      '--to',
      `${transport}://${serverHost}:7000`,
      ...args.slice(2),
      ...(muxer === undefined ? [] : ['--muxer', muxer])
    ]
    const exposed = start(scratch, client, ...node(cli, 'expose', 'tcp', service, '--json', ...to))
    const [, port = ''] = await untilSays(exposed, /"event":"published".*?"address":"[^"]*:(\d+)"/)
    return Number(port)
  }
  return { echo: await expose(echoPort), iperf: await expose('5201') }
}

let barePorts = 0

/** The line by itself: what any tunnel over it can have at most, with the TCP of this system. */
const bare = async (line: ChildProcess, scratch: Scratch, delay: number, loss: number): Promise<void> => {
  const port = String(5210 + barePorts++)
  const listening = start(scratch, client, 'iperf3', '-s', '-1', '-B', clientHost, '-p', port, '--forceflush')
  await untilSays(listening, /listening/)
  await shape(line, delay, loss)
  const [file, args] = inside(server, 'iperf3', '-c', clientHost, '-p', port, '-t', '6', '-O', '2', '-J')
  const { stdout } = await run(file, args, { maxBuffer: 1 << 26, timeout: 60_000 })
  const { end: sum } = JSON.parse(stdout) as {
    end: { sum_sent: { retransmits: number }; sum_received: { bits_per_second: number } }
  }
  console.log(
    `line  ${delay} ms, ${loss} %: TCP by itself ${(sum.sum_received.bits_per_second / 1e6).toFixed(1)} Mbit/s, ${sum.sum_sent.retransmits} retransmissions`
  )
  await shape(line, 0, 0)
}

interface Trips {
  readonly trips: number
  readonly p50: number
  readonly p90: number
  readonly p99: number
  readonly late: number
}

const measure = async (line: ChildProcess, transport: string, delay: number, loss: number): Promise<void> => {
  const scratch = new Scratch()
  try {
    // Before anything is connected: BBR keeps the shortest round trip that it has seen for ten seconds.
    await shape(line, delay, loss)
    const { echo, iperf } = await tunnel(scratch, transport)
    for (const streams of [1, 50]) {
      const [file, args] = inside(
        server,
        'iperf3',
        '-c',
        serverHost,
        '-p',
        String(iperf),
        '-P',
        String(streams),
        '-t',
        '8',
        '-O',
        '2',
        '-J'
      )
      const { stdout } = await run(file, args, { maxBuffer: 1 << 26, timeout: 60_000 })
      const { end: sum } = JSON.parse(stdout) as { end: { sum_received: { bits_per_second: number } } }
      const found = await answerOf<Trips>(server, { do: 'trips', host: serverHost, port: echo, streams, seconds: 6 })
      const ms = (value: number): string => value.toFixed(0)
      console.log(
        `${transport.padEnd(5)} ${delay} ms, ${loss} %: ${String(streams).padStart(2)} streams: ${(sum.sum_received.bits_per_second / 1e6).toFixed(1).padStart(7)} Mbit/s; ` +
          `trips p50 ${ms(found.p50)} p90 ${ms(found.p90)} p99 ${ms(found.p99)} ms, ${(found.late * 100).toFixed(2)} % later than 1.5 × p50, of ${found.trips}`
      )
    }
  } finally {
    await shape(line, 0, 0)
    await scratch.close()
  }
}

/** The first byte of an answer over quic: a first link, and one that resumes. */
const zeroRtt = async (line: ChildProcess, delay: number): Promise<void> => {
  const scratch = new Scratch()
  try {
    const listening = scratch.start(
      ...inside(server, ...ask({ do: 'listen', host: serverHost, port: 7443, dir: scratch.dir })),
      {
        cwd: path.resolve(import.meta.dirname, '../..')
      }
    )
    const [, fingerprint] = await untilSays(listening, /"fingerprint":"([^"]+)"/)
    await shape(line, delay, 0)
    const found = await answerOf<{ full: number; resumed: number }>(client, {
      do: 'reconnect',
      host: serverHost,
      port: 7443,
      fingerprint
    })
    const saved = found.full - found.resumed
    console.log(
      `quic  ${delay} ms: first byte of an answer after ${found.full.toFixed(1)} ms, with 0-RTT after ${found.resumed.toFixed(1)} ms: ${(saved / delay).toFixed(2)} round trips earlier`
    )
  } finally {
    await shape(line, 0, 0)
    await scratch.close()
  }
}

const missing = ['ip', 'ping', 'socat', 'iperf3'].filter((program) => which(program) === undefined)
if (missing.length > 0 || process.getuid?.() !== 0) {
  console.log(`SKIP: ${missing.length > 0 ? `${missing.join(', ')} not found` : 'it needs root'}`)
  process.exit()
}
const all = new Scratch()
try {
  const line = await setUp(all)
  const [delay, loss] = [50, 1]
  if (process.argv.length === 2) await bare(line, all, 0, 0)
  await bare(line, all, delay, 0)
  await bare(line, all, delay, loss)
  await zeroRtt(line, delay)
  for (const transport of process.argv.length > 2 ? process.argv.slice(2) : ['tls', 'quic']) {
    await measure(line, transport, delay, 0)
    await measure(line, transport, delay, loss)
  }
} finally {
  await all.close()
  for (const { namespace, name } of cables) {
    for (const words of [
      ['link', 'del', name],
      ['netns', 'del', namespace]
    ]) {
      try {
        ip(...words)
      } catch {
        // It was never made.
      }
    }
  }
}
