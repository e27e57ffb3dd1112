/**
 * Builds the image of the Containerfile with Debian's `buildah` and runs it: as which user, whether clients can connect, the health
 * check, and a stop. The base image is made here from Debian's packages and the Node of this machine, so that no registry of
 * images is needed. Not part of `npm test`: it needs root and some minutes, and says aloud what is not there.
 *
 *     npm run interop:image          # apt-get install buildah debootstrap
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, cpSync, mkdirSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import path from 'node:path'
import { freePort, loopback } from '../bench/address.js'
import { which } from '../bench/peer.js'
import { Scratch } from '../bench/scratch.js'

const root = path.resolve(import.meta.dirname, '../..')
const IMAGE = 'rystra-interop'

const main = async (scratch: Scratch): Promise<void> => {
  const env = {
    ...process.env,
    STORAGE_DRIVER: 'vfs',
    BUILDAH_ISOLATION: 'chroot',
    CONTAINERS_STORAGE_CONF: scratch.write(
      'storage.conf',
      `[storage]\ndriver = "vfs"\ngraphroot = "${scratch.dir}/images"\nrunroot = "${scratch.dir}/run"\n`
    )
  }
  const run = (file: string, ...args: string[]): string =>
    execFileSync(file, args, { encoding: 'utf8', env, cwd: root, stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 1e9 })
  const buildah = (...args: string[]): string => run('buildah', ...args).trim()

  const base = path.join(scratch.dir, 'base')
  run('debootstrap', '--variant=minbase', 'bookworm', base)
  const place = (file: string, at = file): void => {
    mkdirSync(path.dirname(path.join(base, at)), { recursive: true })
    copyFileSync(realpathSync(file), path.join(base, at))
  }
  place(process.execPath, '/usr/local/bin/node')
  for (const [, library = ''] of run('ldd', process.execPath).matchAll(/=> (\/\S+)/g)) place(library)
  const npm = path.resolve(realpathSync(which('npm') as string), '../..')
  cpSync(npm, path.join(base, 'usr/local/lib/npm'), { recursive: true })
  for (const name of ['npm', 'npx'])
    symlinkSync(`../lib/npm/bin/${name}-cli.js`, path.join(base, 'usr/local/bin', name))
  // A registry behind an authority of this machine.
  const authority = process.env['NODE_EXTRA_CA_CERTS']
  if (authority !== undefined) place(authority, '/etc/ssl/extra.crt')
  const [, wanted = ''] = /^FROM (\S+) AS build$/m.exec(run('cat', 'Containerfile')) ?? []
  const made = buildah('from', 'scratch')
  buildah('add', '-q', made, base, '/')
  if (authority !== undefined) buildah('config', '--env', 'NODE_EXTRA_CA_CERTS=/etc/ssl/extra.crt', made)
  buildah('commit', '-q', made, wanted)
  buildah('rm', made)
  rmSync(base, { recursive: true })
  console.log(`· ${wanted} is made of Debian and Node ${process.version}; the build takes some minutes`)

  buildah('bud', '--pull-never', '--format', 'docker', '-t', IMAGE, '-f', 'Containerfile', '.')
  console.log('✓ the Containerfile builds')
  const container = buildah('from', '--pull-never', `localhost/${IMAGE}`)
  const id = buildah('run', container, '--', 'id')
  if (!id.startsWith('uid=10001')) throw new Error(`it runs as ${id}`)
  console.log(`✓ it runs as ${id}`)
  const port = await freePort()
  const folder = path.join(scratch.dir, 'conf')
  mkdirSync(folder, { mode: 0o755 })
  const config = {
    extensions: [{ use: '@rystra/auth-token', options: { token: 'a-token-of-the-image-0123456789' } }],
    server: { listen: [{ transport: 'tcp', host: loopback, port }] }
  }
  writeFileSync(path.join(folder, 'rystra.config.json'), JSON.stringify(config), { mode: 0o644 })
  // `buildah run` knows no entry point: the words are those of the image.
  const { Docker: docker } = JSON.parse(buildah('inspect', '--type', 'image', IMAGE)) as {
    Docker: { config: { Entrypoint: string[]; Cmd: string[]; Healthcheck: { Test: string[] } } }
  }
  const words = docker.config
  const command = [...words.Entrypoint, ...words.Cmd]
  const child: ChildProcess = spawn('buildah', ['run', '-v', `${folder}:/etc/rystra:ro`, container, '--', ...command], {
    env,
    stdio: 'inherit'
  })
  const ended = once(child, 'exit')
  const connects = (): Promise<boolean> =>
    new Promise((resolve) => {
      const socket = net.connect(port, loopback, () => resolve(true)).on('error', () => resolve(false))
      socket.on('close', () => resolve(false)).on('connect', () => socket.destroy())
    })
  for (let turn = 0; !(await connects()); turn += 1) {
    if (turn > 240 || child.exitCode !== null) throw new Error('it does not listen')
    await new Promise((resolve) => setTimeout(resolve, 250))
  }
  console.log('✓ clients can connect')
  const [, ...check] = words.Healthcheck.Test
  buildah('run', '--env', `RYSTRA_HEALTH_PORT=${port}`, container, '--', ...check)
  console.log('✓ its health check says so')
  child.kill('SIGTERM')
  await ended
  console.log('✓ it stops when it is told to')
}

const missing = ['buildah', 'debootstrap', 'npm', 'ldd'].filter((program) => which(program) === undefined)
if (missing.length > 0) console.log(`SKIPPED: ${missing.join(', ')} not found (apt-get install buildah debootstrap)`)
else if (process.getuid?.() !== 0) console.log('SKIPPED: it needs root')
else {
  const scratch = new Scratch()
  try {
    await main(scratch)
  } finally {
    await scratch.close()
  }
}
