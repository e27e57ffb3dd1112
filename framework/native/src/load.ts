import { createRequire } from 'node:module'
import type { Binding } from './binding.js'
import { COLUMNS, MAX_MESSAGES, MESSAGE_BYTES } from './rows.js'
import { Views } from './views.js'

/** What was loaded. */
export interface Native {
  readonly binding: Binding
  /** What sockets receive into, overwritten by the next call. */
  readonly views: Views
  readonly rows: Int32Array
}

/** Whether the native part is used, and otherwise why it is not. */
export interface NativeStatus {
  readonly used: boolean
  readonly detail: string
}

/** Platforms that have a binary. One for each processor: it takes the C library from the process, glibc or musl. */
const PLATFORMS = ['linux-x64', 'linux-arm64']

let loaded: Native | undefined
let status: NativeStatus | undefined

/** What the dynamic linker says when the process, or the system, has no free descriptor. It has no code for it. */
const NO_DESCRIPTOR = /too many open files/i

/**
 * The binary of the package, loaded on the first call; `undefined` where no file fits or loads. A call that found no free
 * descriptor is not remembered: the next one tries again. The
 * environment variable `RYSTRA_NATIVE` turns it off with `off`, or names the file of another build.
 */
export const loadNative = (): Native | undefined => {
  if (status === undefined) {
    const now = load()
    if (!NO_DESCRIPTOR.test(now.detail)) status = now
  }
  return loaded
}

const load = (): NativeStatus => {
  const platform = `${process.platform}-${process.arch}`
  const { RYSTRA_NATIVE: setting = '' } = process.env
  if (setting === 'off') return { used: false, detail: 'turned off by RYSTRA_NATIVE' }
  if (setting === '' && !PLATFORMS.includes(platform)) return { used: false, detail: `no binary for ${platform}` }
  try {
    loaded = open(setting === '' ? `../prebuilds/${platform}.node` : setting)
    return { used: true, detail: platform }
  } catch (error) {
    return { used: false, detail: (error as Error).message }
  }
}

/** Loads it, too. */
export const nativeStatus = (): NativeStatus => {
  loadNative()
  return status ?? load()
}

/** A binary, and what it was given: once, also when this module is there twice, from its sources and as built. */
type Kept = Binding & { loaded?: Native }

const open = (file: string): Native => {
  const binding = createRequire(import.meta.url)(file) as Kept
  binding.loaded ??= setUp(binding)
  return binding.loaded
}

const setUp = (binding: Binding): Native => {
  const memory = Buffer.allocUnsafeSlow(MAX_MESSAGES * MESSAGE_BYTES)
  const rows = new Int32Array(MAX_MESSAGES * COLUMNS)
  binding.setup(memory, rows)
  return { binding, views: new Views(memory), rows }
}
