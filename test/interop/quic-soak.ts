/**
 * A mixed load over `rystra serve` and `rystra connect` with QUIC, and the same over TLS beside it: datagrams at a steady pace,
 * websockets, long streams, requests, downloads. Tells how many datagrams were lost and where, which streams timed out, and what both ends
 * hold. Not part of `npm test`. Loads of both tunnels share the machine: on a busy one the figures are of the machine.
 *
 *     npm run interop:quic-soak                                 # 20 minutes
 *     npm run interop:quic-soak -- --seconds 60
 *     npm run interop:quic-soak -- --datagrams 2000 --downloads 2 --megabits 0 --only quic
 */
import os from 'node:os'
import { parseArgs } from 'node:util'
import { Scratch } from '../bench/scratch.js'
import { Mirror } from './quic-soak/datagrams.js'
import { Services } from './quic-soak/services.js'
import { SoakedTunnel } from './quic-soak/tunnel.js'
import { loopback } from '../bench/address.js'
import { makeCertificates } from './visitors/tunnel.js'

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '1200' },
    /** Of each tunnel, each second. */
    datagrams: { type: 'string', default: '500' },
    downloads: { type: 'string', default: '1' },
    /** Of each download; 0: as much as is taken. */
    megabits: { type: 'string', default: '40' },
    only: { type: 'string' }
  }
})

const machine = (): string =>
  `${os.availableParallelism()} cores, load ${os
    .loadavg()
    .map((one) => one.toFixed(1))
    .join(' ')}`

const scratch = new Scratch()
const services = await Services.start(Number(values.megabits))
const mirror = await Mirror.start()
const begin = machine()
console.log(`Node ${process.version}, ${begin}`)
try {
  const certificates = await makeCertificates(scratch, loopback)
  const load = { datagrams: Number(values.datagrams), downloads: Number(values.downloads) }
  const names = (['quic', 'tls'] as const).filter((name) => values.only === undefined || values.only === name)
  const tunnels: SoakedTunnel[] = []
  for (const name of names)
    tunnels.push(await SoakedTunnel.start(scratch, name, certificates, { services, mirror }, load))
  const end = performance.now() + Number(values.seconds) * 1000
  for (let left = end - performance.now(); left > 0; left = end - performance.now()) {
    await new Promise((resolve) => setTimeout(resolve, Math.min(left, 30_000)))
    for (const tunnel of tunnels) console.log(tunnel.summary())
  }
  for (const tunnel of tunnels) console.log(`\n${await tunnel.finish()}`)
  console.log(`\nat the beginning ${begin}; at the end ${machine()}`)
  process.exitCode = tunnels.some(({ failures }) => failures > 0) ? 1 : 0
} finally {
  services.close()
  mirror.close()
  await scratch.close()
}
process.exit()
