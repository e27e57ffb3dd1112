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

/**
 * The binary of the package, loaded on the first call; `undefined` where no file fits or loads. The
 * environment variable `RYSTRA_NATIVE` turns it off with `off`, or names the file of another build.
 */
export const loadNative = (): Native | undefined => {
  if (status !== undefined) return loaded
  const platform = `${process.platform}-${process.arch}`
  const { RYSTRA_NATIVE: setting = '' } = process.env
  if (setting === 'off') status = { used: false, detail: 'turned off by RYSTRA_NATIVE' }
  else if (setting === '' && !PLATFORMS.includes(platform))
    status = { used: false, detail: `no binary for ${platform}` }
  else {
    try {
      loaded = open(setting === '' ? `../prebuilds/${platform}.node` : setting)
      status = { used: true, detail: platform }
    } catch (error) {
      status = { used: false, detail: (error as Error).message }
    }
  }
  return loaded
}

/** Loads it, too. */
export const nativeStatus = (): NativeStatus => {
  loadNative()
  return status as NativeStatus
}

const open = (file: string): Native => {
  const binding = createRequire(import.meta.url)(file) as Binding
  const memory = Buffer.allocUnsafeSlow(MAX_MESSAGES * MESSAGE_BYTES)
  const rows = new Int32Array(MAX_MESSAGES * COLUMNS)
  binding.setup(memory, rows)
  return { binding, views: new Views(memory), rows }
}
