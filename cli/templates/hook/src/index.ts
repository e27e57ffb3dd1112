import { defineExtension, GUARD, Type } from '@rystra/plugin'

/** Refuses visitors from some addresses. */
export default defineExtension({
  name: 'my-extension',
  options: Type.Object({
    blocked: Type.Array(Type.String(), { default: [], description: 'Addresses of visitors that are refused.' })
  }),
  setup({ hooks, options, log }) {
    const blocked = new Set(options.blocked)
    // A guard is asked before other taps. It answers "refuse", or nothing: never "allow".
    hooks.onOpenStream.tap({ stage: GUARD }, ({ visitor, proxy }) => {
      if (!blocked.has(visitor.host)) return undefined
      log.info({ visitor: visitor.host, proxy: proxy.name }, 'refused')
      return { deny: `${visitor.host} may not visit ${proxy.name}` }
    })
  }
})
