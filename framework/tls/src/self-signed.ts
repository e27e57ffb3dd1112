import { fingerprintOf, selfSigned } from '@rystra/certificates'
import { isRystraError } from '@rystra/plugin'
import { randomBytes } from 'node:crypto'
import { constants, copyFile, link, mkdir, open, readFile, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import { filesError, reasonOf } from './files.js'
import { checkIdentity, type Identity } from './identity.js'
import type { TlsHost } from './server-tls.js'

/** Ten years: whoever pins it should not have to do so again, and nobody else has a use for it. */
const DAYS = 3650

/** Where the n-th one is. Each is in one file with its key, so that the two cannot be of different ones. */
const fileOf = (dir: string, number: number): string =>
  path.join(dir, number === 1 ? 'server.pem' : `server-${number}.pem`)

type Host = Pick<TlsHost, 'stateDir' | 'log' | 'clock'>

/** Those that are being looked for: several transports ask at the same time, and one is made for all. */
const underWay = new Map<string, Promise<Identity>>()

/**
 * The certificate that this server has made for itself, made now if there is none yet. It stays the same until it ends or
 * is damaged: clients pin it. Rejects with `tls.files`.
 */
export const ownIdentity = (host: Host): Promise<Identity> => {
  const dir = path.join(host.stateDir, 'tls')
  const running = underWay.get(dir)
  if (running !== undefined) return running
  const finding = find(dir, host)
    .catch((error: unknown) => {
      if (isRystraError(error) && error.code === 'tls.files') throw error
      const hint = 'make the folder writable, or give a certificate: `cert` and `key`'
      throw filesError(`a self-signed certificate cannot be kept in ${dir}: ${reasonOf(error)}`, error, hint)
    })
    .finally(() => underWay.delete(dir))
  underWay.set(dir, finding)
  return finding
}

const find = async (dir: string, host: Host): Promise<Identity> => {
  const { log, clock } = host
  for (let number = 1; ; number += 1) {
    const file = fileOf(dir, number)
    const text = await readIfThere(file)
    if (text === undefined) {
      await make(dir, file)
      const made = check(await readFile(file, 'utf8'), file)
      log.info({ file, fingerprint: fingerprintOf(made.leaf.raw) }, 'made a self-signed certificate, and keeps it')
      return made
    }
    try {
      const identity = check(text, file)
      // One that is not valid yet is kept: then it is the clock that is wrong.
      if (Date.parse(identity.leaf.validTo) > clock.now()) {
        await warnIfOpen(file, host)
        log.info({ file, fingerprint: fingerprintOf(identity.leaf.raw) }, 'uses its self-signed certificate')
        return identity
      }
      log.warn({ file }, 'the self-signed certificate has expired: clients have to pin another')
    } catch (error) {
      log.warn({ file, err: error }, 'the self-signed certificate is damaged: clients have to pin another')
    }
  }
}

const check = (text: string, file: string): Identity => checkIdentity(text, text, file, file)

const readIfThere = (file: string): Promise<string | undefined> =>
  readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })

const warnIfOpen = async (file: string, { log }: Host): Promise<void> => {
  if (process.platform === 'win32') return
  const { mode } = await stat(file)
  if ((mode & 0o077) !== 0) log.warn({ file }, 'others than its owner may read the private key in this file')
}

/** Another process may do the same at this time: the first to give its file the name has made it. */
const make = async (dir: string, file: string): Promise<void> => {
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const { cert, key } = await selfSigned({
    commonName: 'rystra',
    names: ['localhost', '127.0.0.1', '::1'],
    days: DAYS
  })
  const temporary = `${file}.${randomBytes(6).toString('hex')}`
  try {
    const handle = await open(temporary, 'wx', 0o600)
    try {
      await handle.writeFile(cert + key)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await take(temporary, file)
  } finally {
    await rm(temporary, { force: true })
  }
}

const take = (temporary: string, file: string): Promise<void> =>
  link(temporary, file)
    .catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'EEXIST') throw error
      // A file system without links.
      return copyFile(temporary, file, constants.COPYFILE_EXCL)
    })
    .catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
    })
