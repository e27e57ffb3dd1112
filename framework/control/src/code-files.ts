import { stat } from 'node:fs/promises'
import type { Kernel } from '@rystra/kernel'

const fingerprint = async (file: string): Promise<string> => {
  try {
    const { mtimeMs, size } = await stat(file)
    return `${mtimeMs} ${size}`
  } catch {
    // A file that is gone has changed.
    return 'gone'
  }
}

/** The files that define the loaded extensions: a process keeps the code that it has loaded. */
export class CodeFiles {
  readonly #kernel: Kernel
  /** As they were when they were first seen. */
  readonly #loaded = new Map<string, string>()
  #changed: ReadonlySet<string> = new Set()

  constructor(kernel: Kernel) {
    this.#kernel = kernel
  }

  /** Names of extensions whose file had changed at the last check. */
  get changed(): ReadonlySet<string> {
    return this.#changed
  }

  /** Looks at the files of all loaded extensions. */
  async check(): Promise<readonly string[]> {
    const found = await Promise.all(
      this.#kernel.inspect().extensions.map(async ({ name, file }) => {
        if (file === undefined) return []
        const now = await fingerprint(file)
        const loaded = this.#loaded.get(file)
        if (loaded === undefined) this.#loaded.set(file, now)
        return loaded === undefined || loaded === now ? [] : [name]
      })
    )
    const changed = found.flat()
    this.#changed = new Set(changed)
    return changed
  }
}
