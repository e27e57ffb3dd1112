import { pattern } from '@rystra/address'
import { defineExtension, type OpenStreamContext, type ProxySpec } from '@rystra/plugin'
import { type CompiledBytes, compileBytes } from './bytes.js'
import { compileRequest, compileResponse } from './heads.js'
import { rewriteOptions, type Rule } from './options.js'
import { Rewriter } from './rewriter.js'

export type { BytesRule, HeadRule, RewriteOptions, Rule } from './options.js'

/** Kinds whose streams are the plain bytes of the service. */
const rawKinds = ['tcp', 'private']

const some = (texts: readonly string[]): ((value: string) => boolean) => {
  const patterns = texts.map(pattern)
  return (value) => patterns.some((matches) => matches(value))
}

/** The proxies of a rule. */
const matcher = ({ proxies = ['*'], kinds }: Rule, fallback: readonly string[]): ((proxy: ProxySpec) => boolean) => {
  const [byName, byKind] = [some(proxies), some(kinds ?? fallback)]
  return ({ name, kind }) => byName(name) && byKind(kind)
}

/** Changes HTTP heads and raw bytes by rules. */
export default defineExtension({
  name: 'hook-rewrite',
  options: rewriteOptions,
  setup({ hooks, options: { rules, hold }, clock }) {
    const heads = rules.flatMap((rule, index) =>
      (rule.heads ?? []).map((head, at) => ({
        head,
        matches: matcher(rule, ['*']),
        path: `rules[${index}].heads[${at}]`
      }))
    )
    const requests = heads
      .filter(({ head }) => head.on === 'request')
      .map(({ head, matches, path }) => ({ matches, change: compileRequest(head, path) }))
    const responses = heads
      .filter(({ head }) => head.on === 'response')
      .map(({ head, matches, path }) => ({ matches, change: compileResponse(head, path) }))
    const bytes = rules.flatMap((rule, index) =>
      (rule.bytes ?? []).map((entry, at) => ({
        ...compileBytes(entry, `rules[${index}].bytes[${at}]`),
        matches: matcher(rule, rawKinds)
      }))
    )

    if (requests.length > 0) {
      hooks.onRequest.tap((context) => {
        for (const { matches, change } of requests) if (matches(context.proxy)) change(context)
      })
    }
    if (responses.length > 0) {
      hooks.onResponse.tap((context) => {
        for (const { matches, change } of responses) if (matches(context.request.proxy)) change(context)
      })
    }
    if (bytes.length === 0) return
    const concerns = ({ proxy }: { readonly proxy: ProxySpec }): boolean => bytes.some(({ matches }) => matches(proxy))
    hooks.onOpenStream.tap({ concerns }, ({ proxy, through }: OpenStreamContext) => {
      const rewriter = ({ needle, replacement }: CompiledBytes): Rewriter =>
        new Rewriter({ needle, replacement, hold, clock })
      for (const rule of bytes) {
        if (rule.matches(proxy)) through({ [rule.direction]: rewriter(rule) })
      }
    })
  }
})

declare module '@rystra/plugin' {
  interface ExtensionOptions {
    '@rystra/hook-rewrite': Partial<import('./options.js').RewriteOptions>
  }
}
