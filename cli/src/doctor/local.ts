import { isRystraError } from '@rystra/model'
import { access, constants, readdir, stat, statfs } from 'node:fs/promises'
import net from 'node:net'
import path from 'node:path'
import { adminSocketPath } from '@rystra/admin-http/socket'
import { checkConfig } from '../check.js'
import { packageRoot } from '../package-root.js'
import { readPackage } from '../project/checkout.js'
import { type Check, fail, type Finding, ok, skip, warn } from './finding.js'
import { type Subject, withExtensions } from './subject.js'

/** Bytes on the disk of the state folder below which records and certificates may fail to be written. */
const MIN_FREE_BYTES = 64 * 1024 * 1024

/** Descriptors below which a server for many visitors meets its limit. */
const MIN_DESCRIPTORS = 4096

export const configCheck = ({ cwd, file, path: found }: Subject): Check => ({
  name: 'config',
  async run() {
    try {
      const { config, warnings } = await checkConfig(cwd, file)
      const hint = 'see `rystra check`'
      return [
        ok('config', `${config} is valid.`),
        ...warnings.map(({ path: where, text }) =>
          warn('config', `${where === undefined ? '' : `${where}: `}${text}.`, hint)
        )
      ]
    } catch (error) {
      if (file === undefined && found === undefined && isRystraError(error) && error.code === 'config.not-found')
        return [skip('config', 'There is no configuration in this folder: name one with --config.')]
      throw error
    }
  }
})

export const versionsCheck = (subject: Subject): Check => ({
  name: 'versions',
  async run() {
    const { version = 'unknown', engines } = (await readPackage(packageRoot)) ?? {}
    const [, major = '0', minor = '0'] = /^v(\d+)\.(\d+)/.exec(process.version) ?? []
    const fits = Number(major) > 20 || (Number(major) === 20 && Number(minor) >= 19)
    const here = `rystra ${version} on Node ${process.version}, ${process.platform} ${process.arch}`
    const findings: Finding[] = [
      fits
        ? ok('versions', `${here}.`)
        : fail('versions', `${here}: Node ${engines?.['node'] ?? '>=20.19'} is needed.`, 'install a current Node')
    ]
    for (const side of subject.sides.slice(0, 1)) {
      const packages = await withExtensions(subject, side, async (_, kernel) =>
        kernel.inspect().extensions.flatMap(({ package: of }) => of ?? [])
      )
      const others = packages.filter((one) => one.name.startsWith('@rystra/') && one.version !== version)
      const list = packages.map((one) => `${one.name} ${one.version}`).join(', ')
      if (others.length === 0)
        findings.push(ok('versions', `Extensions: ${list === '' ? 'not one is from a package' : list}.`))
      else {
        const names = others.map((one) => `${one.name} ${one.version}`).join(', ')
        const hint = 'install the same version of all packages of Rystra'
        findings.push(warn('versions', `Of another version than the command: ${names}.`, hint))
      }
    }
    return findings
  }
})

const modeOf = (mode: number): string => (mode & 0o777).toString(8).padStart(3, '0')

export const stateCheck = ({ stateDir }: Subject): Check => ({
  name: 'state',
  async run() {
    const found = await stat(stateDir).catch((error: NodeJS.ErrnoException) => error)
    if (found instanceof Error) {
      if (found.code === 'ENOENT') return [skip('state', `The state folder ${stateDir} does not exist yet.`)]
      return [fail('state', `${stateDir}: ${found.code ?? found.message}.`, 'make the folder readable for this user')]
    }
    if (!found.isDirectory()) return [fail('state', `${stateDir} is not a folder.`, 'move the file out of the way')]
    const findings: Finding[] = []
    const writable = await access(stateDir, constants.W_OK | constants.X_OK).then(
      () => true,
      () => false
    )
    if (!writable)
      findings.push(
        fail(
          'state',
          `${stateDir} cannot be written by this user.`,
          'run the command as the user of the process, or change the owner of the folder'
        )
      )
    const open = await looseFiles(stateDir)
    if (open.length > 0) {
      const names = open.slice(0, 5).map(({ name, mode }) => `${name} (${modeOf(mode)})`)
      findings.push(
        warn(
          'state',
          `Others can read or write ${names.join(', ')} in ${stateDir}.`,
          'chmod 600 them: they may hold keys and tokens'
        )
      )
    }
    const { bavail, bsize } = await statfs(stateDir)
    const free = bavail * bsize
    if (free < MIN_FREE_BYTES)
      findings.push(warn('state', `${Math.round(free / 1e6)} MB are free on the disk of ${stateDir}.`, 'make room'))
    return findings.length === 0
      ? [ok('state', `${stateDir} is readable and writable for its owner (mode ${modeOf(found.mode)}).`)]
      : findings
  }
})

/** Files that others than the owner can read, where they hold something: sockets and folders are left out. */
const looseFiles = async (folder: string): Promise<{ name: string; mode: number }[]> => {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true }).catch(() => [])
  const loose: { name: string; mode: number }[] = []
  for (const entry of entries.slice(0, 1000)) {
    if (!entry.isFile()) continue
    const file = path.join(entry.parentPath, entry.name)
    const found = await stat(file).catch(() => undefined)
    if (found !== undefined && (found.mode & 0o077) !== 0)
      loose.push({ name: path.relative(folder, file), mode: found.mode })
  }
  return loose
}

/** Whether a process listens at a unix socket. */
export const listensAt = (file: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = net.connect(file)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code === 'EACCES'))
  })

export const socketCheck = ({ stateDir }: Subject): Check => ({
  name: 'admin-socket',
  async run() {
    const findings: Finding[] = []
    for (const side of ['server', 'client'] as const) {
      const file = adminSocketPath(stateDir, side)
      if ((await stat(file).catch(() => undefined)) === undefined) continue
      findings.push(
        (await listensAt(file))
          ? ok('admin-socket', `A ${side} listens at ${file}.`)
          : warn(
              'admin-socket',
              `${file} was left over by a ${side} that did not stop in order.`,
              'none needed: the next start replaces it; or remove the file'
            )
      )
    }
    return findings.length > 0
      ? findings
      : [skip('admin-socket', `No process of this folder can be found by its socket.`)]
  }
})

export const limitsCheck = ({ sides }: Subject): Check => ({
  name: 'limits',
  async run() {
    if (!sides.includes('server')) return []
    const { userLimits } = process.report.getReport() as unknown as {
      userLimits?: { open_files?: { soft: number | string } }
    }
    const soft = Number(userLimits?.open_files?.soft)
    if (Number.isNaN(soft)) return [skip('limits', 'The limit of open files is not known here.')]
    if (soft >= MIN_DESCRIPTORS) return [ok('limits', `${soft} files may be open at once.`)]
    const hint = 'raise it: `ulimit -n 65536`, or LimitNOFILE in the unit of systemd'
    return [warn('limits', `Only ${soft} files may be open at once: each visitor takes one or two.`, hint)]
  }
})
