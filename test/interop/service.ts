/**
 * The unit of `rystra service:install`: checked by systemd-analyze, and run under a systemd of its own in a container
 * (systemd-nspawn on an overlay of this system). Not part of `npm test`; needs root, and says aloud what is not there.
 *
 *     npm run interop:service          # needs a build; apt-get install systemd systemd-container
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { which } from '../bench/peer.js'
import { Scratch } from '../bench/scratch.js'

const root = path.resolve(import.meta.dirname, '../..')
const cli = path.join(root, 'cli/bin/run.js')
/** Upper limit of what systemd rates as OK. The unit accepts connections, which alone costs most of it. */
const MAX_EXPOSURE = 3
const TIMEOUT_MS = 240_000

const config = `extensions:
  - use: '@rystra/auth-token'
    options: { token: a-token-of-the-service-0123456789 }
server:
  listen: [{ transport: tcp, host: 127.0.0.1, port: 7000 }]
`

let failures = 0
const report = (good: boolean, text: string): void => {
  if (!good) failures += 1
  console.log(`${good ? '✓' : '✗'} ${text}`)
}

const analyze = (scratch: Scratch): void => {
  const folder = path.join(scratch.dir, 'etc')
  mkdirSync(folder)
  writeFileSync(path.join(folder, 'rystra.config.yaml'), config)
  const args = [cli, 'service:install', '--config', path.join(folder, 'rystra.config.yaml'), '--dry-run']
  const unit = scratch.write('rystra.service', execFileSync(process.execPath, args, { encoding: 'utf8' }), 0o644)
  const verified = spawnSync('systemd-analyze', ['verify', '--man=no', unit], { encoding: 'utf8' })
  const own = verified.stderr.split('\n').filter((line) => line.includes('rystra.service'))
  report(own.length === 0, `systemd-analyze verify${own.length === 0 ? '' : `: ${own.join('; ')}`}`)
  const offline = ['security', '--offline=true', '--no-pager', unit]
  const { stdout } = spawnSync('systemd-analyze', offline, { encoding: 'utf8' })
  const [, exposure] = /exposure level for \S+: ([\d.]+)/.exec(stdout) ?? []
  report(
    Number(exposure) <= MAX_EXPOSURE,
    `systemd-analyze security: exposure ${exposure} of 10, ${MAX_EXPOSURE} at most`
  )
}

/** An overlay of this system: what the container writes is gone with it. Returns what takes it away. */
const overlay = (scratch: Scratch): { readonly at: string; readonly upper: string; end(): void } => {
  const [upper, work, at] = ['upper', 'work', 'root'].map((name) => {
    const folder = path.join(scratch.dir, name)
    mkdirSync(folder, { mode: 0o755 })
    return folder
  }) as [string, string, string]
  const options = `lowerdir=/,upperdir=${upper},workdir=${work}`
  execFileSync('mount', ['-t', 'overlay', 'overlay', '-o', options, at])
  return { at, upper, end: () => void spawnSync('umount', ['--lazy', at]) }
}

const runInSystemd = (scratch: Scratch): void => {
  const { at, upper, end } = overlay(scratch)
  try {
    for (const folder of ['etc/rystra', 'opt/rystra', 'opt/node', 'var'])
      mkdirSync(path.join(at, folder), { recursive: true, mode: 0o755 })
    rmSync(path.join(at, 'var/lib/rystra'), { recursive: true, force: true })
    writeFileSync(path.join(at, 'etc/rystra/rystra.config.yaml'), config, { mode: 0o644 })
    rmSync(path.join(at, 'etc/machine-id'), { force: true })
    writeFileSync(path.join(at, 'etc/machine-id'), '0123456789abcdef0123456789abcdef\n')
    cpSync(path.join(import.meta.dirname, 'service/in-systemd.sh'), path.join(at, 'etc/in-systemd.sh'))
    const unit =
      '[Service]\nType=simple\nExecStart=/bin/bash /etc/in-systemd.sh\n[Unit]\nAfter=basic.target\nRequires=basic.target\n'
    writeFileSync(path.join(at, 'etc/systemd/system/in-systemd.service'), unit)
    const node = path.dirname(path.dirname(process.execPath))
    const args = [
      ...['--directory', at, '--boot', '--register=no', '--keep-unit', '--private-network', '--console=read-only'],
      ...['--kill-signal=SIGKILL', `--bind-ro=${root}:/opt/rystra`, `--bind-ro=${node}:/opt/node`],
      'systemd.unit=in-systemd.service'
    ]
    const { stdout, stderr } = spawnSync('systemd-nspawn', args, {
      encoding: 'utf8',
      timeout: TIMEOUT_MS,
      killSignal: 'SIGKILL',
      stdio: ['ignore', 'pipe', 'pipe'],
      maxBuffer: 64 * 1024 ** 2
    })
    const file = path.join(upper, 'var/checked')
    const lines = existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : []
    for (const line of lines) if (line !== 'over') report(line.startsWith('ok '), `systemd: ${line.slice(3)}`)
    if (lines.at(-1) !== 'over') report(false, `systemd: the checks did not end: ${`${stdout}${stderr}`.slice(-2000)}`)
  } finally {
    end()
  }
}

const scratch = new Scratch()
try {
  if (which('systemd-analyze') === undefined)
    console.log('– skipped: no systemd-analyze here (apt-get install systemd)')
  else analyze(scratch)
  if (which('systemd-nspawn') === undefined)
    console.log('– skipped: no systemd-nspawn here (apt-get install systemd-container)')
  else if (process.getuid?.() !== 0) console.log('– skipped: a container with a systemd of its own needs root')
  else runInSystemd(scratch)
} finally {
  await scratch.close()
}
process.exitCode = failures === 0 ? 0 : 1
