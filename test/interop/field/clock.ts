import { execFileSync } from 'node:child_process'
import http from 'node:http'
import { once } from 'node:events'
import type net from 'node:net'
import path from 'node:path'
import { loopback } from '../../bench/address.js'
import { needed } from '../../bench/peer.js'
import { type Scratch, untilSays } from '../../bench/scratch.js'
import { freePort } from '../visitors/free-port.js'
import { must, type Trial } from '../visitors/trial.js'
import { cli, makeCertificates, Tunnel } from '../visitors/tunnel.js'

/** Time for a process to start, on a busy machine. */
const START_MS = 60_000

/** What the program `faketime` loads: it waits for its command in a process of its own, which would stay when that is ended. */
const preloaded = (): string =>
  execFileSync(needed('faketime'), ['-f', '+0d', 'printenv', 'LD_PRELOAD'], { encoding: 'utf8' }).trim()

/** Runs the command with a clock that is off by some days. */
const rystra = (scratch: Scratch, days: number, args: readonly string[]) =>
  scratch.start(process.execPath, [cli, ...args], {
    cwd: scratch.dir,
    env: {
      ...process.env,
      LD_PRELOAD: preloaded(),
      FAKETIME: `${days < 0 ? '' : '+'}${days}d`,
      RYSTRA_STATE: path.join(scratch.dir, `state${days}`),
      RYSTRA_TOKEN: 'visitors-token-81b6f2c94d0e57'
    }
  })

export const clock: Trial = {
  name: 'clock',
  programs: ['faketime'],
  async use(scratch, report) {
    const service = http.createServer((_, response) => response.end('ok'))
    service.listen(0, loopback)
    await once(service, 'listening')
    const local = String((service.address() as net.AddressInfo).port)
    try {
      for (const transport of ['tls', 'wss', 'http2', 'quic']) {
        for (const [server, client] of [
          [0, 400],
          [0, -400],
          [400, 0],
          [-400, 0]
        ] as const) {
          await report.check(`${transport}, pinned: server ${server} days off, client ${client}`, async () => {
            const port = await freePort()
            const flags = ['--json', '--transport', transport, '--host', loopback, '--port', String(port)]
            const serving = rystra(scratch, server, ['serve', ...flags])
            const [, word = ''] = await untilSays(serving, /"event":"join","join":"([^"]+)"/)
            const exposing = rystra(scratch, client, ['expose', 'tcp', local, '--json', '--join', word])
            const [, at] = await untilSays(exposing, /"event":"published".*?"address":"[^"]*:(\d+)"/, START_MS)
            const answer = await fetch(`http://${loopback}:${at}/`)
            must((await answer.text()) === 'ok', String(answer.status))
            await Promise.all([scratch.end(exposing.child), scratch.end(serving.child)])
            return 'published, a page comes through'
          })
        }
      }
      const { ca, cert, key } = await makeCertificates(scratch, 'localhost', loopback)
      const { port, server } = await Tunnel.serve(scratch, {
        name: 'ca',
        extensions: ['@rystra/transport-tls'],
        listen: { transport: 'tls', cert, key }
      })
      report.watch(server)
      for (const days of [400, -400]) {
        await report.check(`tls with an authority, client ${days} days off`, async () => {
          const to = ['--to', `tls://${loopback}:${port}`, '--dial', `ca=${ca}`]
          const exposing = rystra(scratch, days, ['expose', 'tcp', local, ...to])
          await untilSays(exposing, /clock/i)
          await untilSays(exposing, /again in|retry/i)
          must(exposing.child.exitCode === null, 'it ended')
          const [line = ''] = exposing
            .said()
            .split('\n')
            .filter((one) => /clock/i.test(one))
          await scratch.end(exposing.child)
          return `tried again: ${line.slice(0, 200)}`
        })
      }
    } finally {
      service.closeAllConnections()
      service.close()
    }
  }
}
