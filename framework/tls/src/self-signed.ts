import { fingerprintOf, selfSigned } from '@rystra/certificates'
import { isRystraError } from '@rystra/plugin'
import { randomBytes } from 'node:crypto'
import { constants, copyFile, link, mkdir, open, readFile, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import { filesError, reasonOf } from './files.js'
import { checkKeyPair, type KeyPair } from './key-pair.js'
import type { TlsHost } from './options.js'

/** Ten years: clients pin it and should not have to pin again. */
const VALID_DAYS = 3650

/** The file of the n-th certificate. Certificate and key share one file, so that they always match. */
const fileOf = (dir: string, number: number): string =>
  path.join(dir, number === 1 ? 'server.pem' : `server-${number}.pem`)

type Host = Pick<TlsHost, 'stateDir' | 'log' | 'clock'>

/** Lookups in progress: several transports ask at the same time, and share one certificate. */
const inProgress = new Map<string, Promise<KeyPair>>()

/**
 * The self-signed certificate of this server, created on first use and kept until it expires or is damaged: clients pin
 * it. Rejects with `tls.files`.
 */
export const ownKeyPair = (host: Host): Promise<KeyPair> => {
  const dir = path.join(host.stateDir, 'tls')
  const running = inProgress.get(dir)
  if (running !== undefined) return running
  const finding = find(dir, host)
    .catch((error: unknown) => {
      if (isRystraError(error) && error.code === 'tls.files') throw error
      const hint = 'make the directory writable, or set `cert` and `key`'
      throw filesError(`cannot store a self-signed certificate in ${dir}: ${reasonOf(error as Error)}`, error, hint)
    })
    .finally(() => inProgress.delete(dir))
  inProgress.set(dir, finding)
  return finding
}

const find = async (dir: string, host: Host): Promise<KeyPair> => {
  const { log, clock } = host
  for (let number = 1; ; number += 1) {
    const file = fileOf(dir, number)
    const text = await readIfThere(file)
    if (text === undefined) {
      await make(dir, file)
      const made = check(await readFile(file, 'utf8'), file)
      log.info({ file, fingerprint: fingerprintOf(made.leaf.raw) }, 'created a self-signed certificate')
      return made
    }
    try {
      const keyPair = check(text, file)
      // A certificate that is not valid yet is kept: the clock is wrong then.
      if (Date.parse(keyPair.leaf.validTo) > clock.now()) {
        await warnIfOpen(file, host)
        log.info({ file, fingerprint: fingerprintOf(keyPair.leaf.raw) }, 'using the self-signed certificate')
        return keyPair
      }
      log.warn({ file }, 'the self-signed certificate has expired: clients must pin the new one')
    } catch (error) {
      log.warn({ file, err: error }, 'the self-signed certificate is damaged: clients must pin the new one')
    }
  }
}

const check = (text: string, file: string): KeyPair => checkKeyPair(text, text, file, file)

const readIfThere = (file: string): Promise<string | undefined> =>
  readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })

const warnIfOpen = async (file: string, { log }: Host): Promise<void> => {
  if (process.platform === 'win32') return
  const { mode } = await stat(file)
  if ((mode & 0o077) !== 0) log.warn({ file }, 'the private key in this file is readable by other users')
}

/** Another process may do the same concurrently: the first to link its file wins. */
const make = async (dir: string, file: string): Promise<void> => {
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const { cert, key } = await selfSigned({
    commonName: 'rystra',
    names: ['localhost', '127.0.0.1', '::1'],
    days: VALID_DAYS,
    // Signing costs a server a tenth of what it costs with RSA, when all clients come back at once.
    keyType: 'ec'
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
      // The file system supports no links.
      return copyFile(temporary, file, constants.COPYFILE_EXCL)
    })
    .catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
    })
