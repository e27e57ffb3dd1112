import { HostTable } from '@rystra/net'
import type { Claim } from '@rystra/plugin'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { WEB_PORT } from './scale-world.js'

/** Lookups of the table that are timed. */
const LOOKUPS = 1_000_000

/** Lookups in a second in a table of these names, as a server does one for each request. */
export const tableRate = (names: readonly string[]): number => {
  const table = new HostTable<object>()
  const claim = { pick: () => undefined } as unknown as Claim<object>
  for (const name of names) table.add(name, '/', 'home', claim)
  const visitor = { host: '192.0.2.1', port: 1, to: { host: '192.0.2.2', port: 80 } }
  const begin = performance.now()
  for (let at = 0; at < LOOKUPS; at += 1) table.find(names[at % names.length] as string, '/', visitor)
  return Math.round((LOOKUPS * 1000) / (performance.now() - begin))
}

/** Requests in a second at one server: `names` in turn, by wrk. `undefined` where there is no wrk. */
export const requestRate = (server: string, names: readonly string[]): number | undefined => {
  if (spawnSync('which', ['wrk']).status !== 0) return undefined
  const folder = mkdtempSync(path.join(tmpdir(), 'rystra-lookups-'))
  try {
    const script = path.join(folder, 'hosts.lua')
    const list = names.map((name) => JSON.stringify(name)).join(',')
    writeFileSync(
      script,
      `local names = {${list}}\nlocal at = 0\nrequest = function()\n  at = at % #names + 1\n  return wrk.format("GET", "/", { Host = names[at] })\nend\n`
    )
    const args = ['-t1', '-c16', '-d5s', '-s', script, `http://${server}:${WEB_PORT}/`]
    const { stdout } = spawnSync('wrk', args, { encoding: 'utf8' })
    if (/Non-2xx/.test(stdout)) throw new Error(stdout)
    return Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1])
  } finally {
    rmSync(folder, { recursive: true })
  }
}
