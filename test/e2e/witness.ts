import { defineExtension, type RefusedContext } from '@rystra/plugin'

/** Keeps what `onRefused` tells. */
export const witness = () => {
  const refused: RefusedContext[] = []
  const use = defineExtension({
    name: 'witness',
    setup({ hooks }) {
      hooks.onRefused.tap((context) => void refused.push(context))
    }
  })
  return { refused, use: use() }
}
