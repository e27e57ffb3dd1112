import { defineExtension, Type } from '@rystra/plugin'
import type { KernelUse } from '../src/index.js'
import { extension, provisioned } from './fixtures.js'

/** Says what is done to it, and denies every Hello with its mark and how often it was called: its state. */
export const marked = (said: string[]) =>
  defineExtension({
    name: 'marked',
    options: Type.Object({ mark: Type.String({ default: 'x' }) }),
    setup({ hooks, options: { mark } }) {
      let called = 0
      said.push(`setup ${mark}`)
      hooks.onHello.tap(() => ({ deny: `${mark}${++called}` }))
      return { start: () => void said.push(`start ${mark}`), stop: () => void said.push(`stop ${mark}`) }
    }
  })

export const running = async (uses: readonly KernelUse[], options = {}) => {
  const all = await provisioned(uses, options)
  await all.kernel.start()
  return all
}

export const other = (name = 'other', said: string[] = []) =>
  extension(name, () => {
    said.push(`setup ${name}`)
    return { start: () => void said.push(`start ${name}`), stop: () => void said.push(`stop ${name}`) }
  })()
