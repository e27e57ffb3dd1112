import { ConfigError, type Problem } from '@rystra/config'
import { nearest } from '@rystra/kernel'
import { type ErrorDetails, RystraError } from '@rystra/model'
import { withLines } from './located.js'
import { knownPackages } from './preset.js'
import { packageOf } from './run/convention.js'

const addOf = (name: string): string => `\`rystra plugins:add ${name}\``

const words = { 'kind of proxy': 'kind', transport: 'transport', muxer: 'muxer' } as const

/** Names the package of ours that registers what is missing. */
const withPackage = (problem: Problem): Problem => {
  const noun = /^a registered (kind of proxy|transport|muxer)/.exec(problem.expected)?.[1] as keyof typeof words
  const wanted = /^"(.*)"$/.exec(problem.value)?.[1]
  const name = noun === undefined || wanted === undefined ? undefined : packageOf(`${words[noun]}:${wanted}`)
  return name === undefined || problem.hint?.includes(name) === true
    ? problem
    : { ...problem, hint: `add its extension: ${addOf(name)}` }
}

/** What to do about a package that is not installed. */
const installHint = (name: string): string | undefined => {
  if (knownPackages.includes(name)) return `run ${addOf(name)}`
  const short = knownPackages.map((known) => known.replace('@rystra/', ''))
  // The short name may be that of a package of others.
  if (!name.startsWith('@rystra/')) return short.includes(name) ? `did you mean @rystra/${name}?` : undefined
  const meant = nearest(name, knownPackages)
  return `there is no such package${meant === undefined ? '' : `; did you mean ${meant}?`}`
}

/** What other programs call flags of ours. */
const synonyms: Readonly<Record<string, readonly string[]>> = {
  '--server': ['--to'],
  '--host': ['--public-host', '--to'],
  '--address': ['--to', '--admin'],
  '--url': ['--to', '--admin'],
  '--transport': ['--to'],
  '--file': ['--config'],
  '--conf': ['--config'],
  '--hostname': ['--host'],
  '--verbose': ['--debug'],
  '--local': ['--bind'],
  '--listen': ['--port']
}

/** What the parser of the command line throws for flags that it does not know. */
interface UnknownFlags {
  readonly flags?: unknown
  readonly parse?: { readonly input?: { readonly flags?: Readonly<Record<string, unknown>> } }
}

/** The flag of the command that looks like the one it does not know. */
const flagHint = ({ cause, hint }: RystraError): string | undefined => {
  const { flags, parse } = (cause ?? {}) as UnknownFlags
  const known = [...Object.keys(parse?.input?.flags ?? {}), 'help'].map((name) => `--${name}`)
  const [unknown] = Array.isArray(flags) ? flags : []
  if (typeof unknown !== 'string') return undefined
  if (/^-(v|-version)$/.test(unknown)) return 'did you mean `rystra --version`?'
  const meant = synonyms[unknown]?.find((name) => known.includes(name)) ?? nearest(unknown, known)
  return meant === undefined ? undefined : `did you mean ${meant}? ${hint}`
}

const hintFor = (error: RystraError): string | undefined => {
  const { code, detail = '' } = error
  if (code === 'usage.invalid') return flagHint(error)
  if (code === 'extension.not-found') return installHint(/^(\S+) is not installed/.exec(detail)?.[1] ?? '')
  if (code !== 'extension.requires' && code !== 'registry.unknown') return undefined
  const needs =
    code === 'extension.requires'
      ? [...detail.matchAll(/ needs ([\w-]+:[^\s;]+)/g)].map(([, need = '']) => need)
      : [
          detail.replace(
            /^no (?:kind of proxy|(\w+)) named "([^"]*)".*$/s,
            (_, noun = 'kind', name) => `${noun}:${name}`
          )
        ]
  const packages = new Set(needs.flatMap((need) => packageOf(need) ?? []))
  return packages.size === 0 ? undefined : `run ${[...packages].map(addOf).join(', ')}`
}

/** The error with a hint that names the package to add, where there is one of ours. The framework knows none by name. */
export const advised = (error: RystraError): RystraError => {
  if (error instanceof ConfigError && error.code === 'config.invalid') {
    const problems = error.problems.map(withPackage)
    const same = problems.every((problem, i) => problem === error.problems[i])
    return withLines(same ? error : new ConfigError(error.code, problems, error.file))
  }
  const hint = hintFor(error)
  if (hint === undefined) return error
  const { code, detail, side, cause } = error
  const { problems } = error as { problems?: readonly Problem[] }
  const advice = new RystraError(code, { detail, side, cause, hint } as ErrorDetails)
  return problems === undefined ? advice : Object.assign(advice, { problems })
}
