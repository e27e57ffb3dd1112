/**
 * A server and a client that are reloaded again and again, and a server that is replaced by `rystra upgrade`, under load: open streams
 * of TCP, changed protocols over HTTP, wrk on an http proxy, iperf3 through a tcp proxy. Nothing may be cut, lost or refused. Not part of
 * `npm test`: it needs the Debian packages wrk and iperf3, and says aloud when they are not there.
 *
 *     npm run interop:reload                # needs a build; 1,000 reloads of each end, 500 streams
 *     npm run interop:reload -- --short     # 100 reloads, 50 streams: for a busy machine
 */
import { which } from '../bench/peer.js'
import { Scratch } from '../bench/scratch.js'
import { Bytes } from './reload/bytes.js'
import { clientChanges, serverChanges } from './reload/changes.js'
import { Tunnel } from './reload/tunnel.js'
import { Iperf, Wrk } from './reload/programs.js'

const short = process.argv.includes('--short')
const RELOADS = short ? 100 : 1000
const STREAMS = short ? 50 : 500
const UPGRADES = short ? 2 : 10
/** Caches fill, and code is compiled, before memory is measured. */
const WARM_UP = short ? 30 : 100

let failed = 0
const check = (holds: boolean, what: string): void => {
  if (!holds) failed += 1
  console.log(`${holds ? '✔' : '✘'} ${what}`)
}

const megabytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`

let tunnel: Tunnel | undefined

const run = async (scratch: Scratch): Promise<void> => {
  const started = await Tunnel.start(scratch)
  tunnel = started
  const { server, client, ports } = started
  const bytes = new Bytes()
  await bytes.open(ports.echo, STREAMS)
  await bytes.upgrade(ports.web, Math.ceil(STREAMS / 10))
  console.log(`${STREAMS} streams of TCP and ${Math.ceil(STREAMS / 10)} of a changed protocol are open`)
  const wrk = new Wrk(scratch, ports.web)
  const iperf = new Iperf(scratch, ports.iperf)

  const reload = async (from: number, count: number): Promise<void> => {
    for (let step = from; step < from + count; step += 1) {
      await server.reload(serverChanges(step))
      await client.reload(clientChanges(step))
      if ((step + 1) % 100 === 0) console.log(`  ${step + 1} reloads of each`)
    }
  }
  await reload(0, WARM_UP)
  const before = [await server.memory(), await client.memory()]
  const since = performance.now()
  await reload(WARM_UP, RELOADS)
  const each = (performance.now() - since) / (2 * RELOADS)
  const after = [await server.memory(), await client.memory()]
  console.log(`${RELOADS} reloads of the server and as many of the client, ${each.toFixed(1)} ms each`)
  for (const [index, end] of ['server', 'client'].entries()) {
    const [was, is] = [before[index], after[index]]
    if (was === undefined || is === undefined) continue
    const heap = `heap ${megabytes(was.heapUsed)} before, ${megabytes(is.heapUsed)} after`
    console.log(`  ${end}: ${heap}; resident ${megabytes(was.rss)} before, ${megabytes(is.rss)} after`)
    check(is.heapUsed < was.heapUsed * 1.5 + 20 * 2 ** 20, `the heap of the ${end} has not grown with the reloads`)
  }
  await iperf.end()
  check(iperf.failures.length === 0, `iperf3: ${iperf.text()}`)
  check((await started.streams()) >= STREAMS, 'every stream is still open at the server')
  check(await bytes.settle(), `streams cut ${bytes.cut}, bytes lost ${bytes.lost}, of ${megabytes(bytes.total)} echoed`)
  await bytes.close()

  const refused = await started.visits(async () => {
    for (let round = 1; round <= UPGRADES; round += 1)
      console.log(`  upgrade ${round}: process ${await server.upgrade()}`)
  })
  const { errors, requests } = await wrk.end()
  check(
    refused.size === 1 && refused.has('hello'),
    `visitors of a tcp proxy over ${UPGRADES} upgrades saw: ${[...refused].join(', ')}`
  )
  check(errors === '', `wrk over all of it: ${requests} requests${errors === '' ? ', no error' : `; ${errors}`}`)
}

const missing = ['wrk', 'iperf3'].filter((name) => which(name) === undefined)
if (missing.length > 0) console.log(`– skipped: ${missing.join(', ')} not found (apt-get install ${missing.join(' ')})`)
else {
  const scratch = new Scratch()
  const end = (): void => void scratch.close().finally(() => process.exit(1))
  process.once('SIGINT', end).once('SIGTERM', end)
  try {
    await run(scratch)
  } finally {
    await tunnel?.end()
    await scratch.close()
  }
  process.exitCode = failed === 0 ? 0 : 1
}
