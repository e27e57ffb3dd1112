/**
 * mux-yamux against hashicorp/yamux in Go, and against yamux-js. Not part of `npm test`: it needs Go and a Debian package.
 *
 *     npm run interop              # or: node --conditions=rystra-source --import tsx test/interop/yamux.ts
 *     RYSTRA_INTEROP_MIB=256 …     # a smaller transfer than 3 GiB
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { againstGo } from './yamux-go.js'
import { againstYamuxJs } from './yamux-js.js'

const GOPATH = '/usr/share/gocode'
const environment = { ...process.env, GOPATH, GOFLAGS: '-mod=mod', GO111MODULE: 'off' }

/** Builds the Go peer, or says why it cannot. */
const build = (dir: string): { peer: string } | { missing: string } => {
  if (spawnSync('go', ['version']).status !== 0) return { missing: 'go is not installed (Debian: golang-go)' }
  if (!existsSync(path.join(GOPATH, 'src/github.com/hashicorp/yamux'))) {
    return { missing: 'hashicorp/yamux is not installed (Debian: golang-github-hashicorp-yamux-dev)' }
  }
  const peer = path.join(dir, 'yamux-peer')
  const built = spawnSync('go', ['build', '-o', peer, '.'], {
    cwd: path.join(import.meta.dirname, 'yamux-peer'),
    env: { ...environment, GOCACHE: path.join(dir, 'cache') },
    encoding: 'utf8'
  })
  if (built.status !== 0) throw new Error(`the Go peer does not compile:\n${built.stderr}`)
  return { peer }
}

const dir = mkdtempSync(path.join(tmpdir(), 'rystra-yamux-'))
let failed = 0
try {
  const go = build(dir)
  if ('missing' in go) console.log(`SKIP hashicorp/yamux: ${go.missing}`)
  else failed += await againstGo(go.peer, Number(process.env['RYSTRA_INTEROP_MIB'] ?? 3072) * 1024 * 1024)
  failed += await againstYamuxJs()
} finally {
  rmSync(dir, { recursive: true, force: true })
}
if (failed > 0) console.log(`${failed} failed`)
process.exit(failed > 0 ? 1 : 0)
