/**
 * What visitors use, through `rystra serve`, `connect`, `expose` and `visit` with configuration files, as a person would start
 * them: chromium, wrk, h2load, curl, nghttp, dig, iperf3, redis-cli, psql, and nginx behind the tunnel. Not part of `npm test`: it
 * needs Debian packages, and says aloud which it did not find. As root it runs in a network namespace of its own.
 *
 *     npm run interop:visitors              # needs a build
 *     npm run interop:visitors udp curl     # some of it
 *     RYSTRA_INTEROP_MB=50 …                # less than 500 MB by each download
 */
import { spawnSync } from 'node:child_process'
import { which } from '../bench/peer.js'
import { browser } from './visitors/browser.js'
import { curlHttp } from './visitors/curl.js'
import { curlTls } from './visitors/curl-tls.js'
import { load } from './visitors/load.js'
import { privateServices } from './visitors/private.js'
import { smuggling } from './visitors/smuggling.js'
import { udp } from './visitors/udp.js'
import { runTrials } from './visitors/run-trials.js'
import type { Trial } from './visitors/trial.js'

const trials: readonly Trial[] = [browser, load, curlHttp, curlTls, udp, privateServices, smuggling]

/** A namespace of its own is free of other traffic and ports. */
const inNamespace = (): number | undefined => {
  if (process.env['RYSTRA_INTEROP_ALONE'] !== undefined || process.getuid?.() !== 0) return undefined
  if (which('unshare') === undefined || which('ip') === undefined) return undefined
  const itself = [process.execPath, ...process.execArgv, ...process.argv.slice(1)]
  const script = 'ip link set lo up && exec "$@"'
  const { status } = spawnSync('unshare', ['--net', 'sh', '-c', script, 'sh', ...itself], {
    stdio: 'inherit',
    env: { ...process.env, RYSTRA_INTEROP_ALONE: '1' }
  })
  return status ?? 1
}

process.exit(inNamespace() ?? (await runTrials(trials)))
