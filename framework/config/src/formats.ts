import { pathToFileURL } from 'node:url'
import { createJiti } from 'jiti'
import { type Node, type ParseError, parseTree, printParseErrorCode } from 'jsonc-parser'
import { TomlError, parse as parseToml } from 'smol-toml'
import { type Document, LineCounter, isScalar, parseDocument, visit } from 'yaml'
import { ConfigError } from './problem.js'
import type { Environment } from './variables.js'

/** What a configuration can be written in. */
export type ConfigFormat = 'yaml' | 'json' | 'toml' | 'code'

/** A parser of one format: text in, plain values out. */
export type ReadFormat = (file: string, text: string, env: Environment) => unknown | Promise<unknown>

/** An error that says where. Lines and columns count from 1. */
const syntax = (file: string, what: string, line?: number, column?: number, cause?: unknown): ConfigError => {
  const place = line === undefined ? file : `${file}:${line}:${column ?? 1}`
  const error = new ConfigError('config.syntax', [], file, [
    `${place}: ${/call stack/.test(what) ? 'nested too deeply' : what.trim()}`
  ])
  if (cause !== undefined) Object.defineProperty(error, 'cause', { value: cause, configurable: true, writable: true })
  return error
}

/** YAML 1.2, one document; duplicate keys and tags of its own are refused, aliases are bounded. */
const readYaml: ReadFormat = (file, text) => {
  const lines = new LineCounter()
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    uniqueKeys: false,
    logLevel: 'error',
    stringKeys: true
  })
  const [first] = [...document.errors, ...document.warnings]
  if (first !== undefined) {
    const { line, col } = lines.linePos(first.pos[0])
    // Without the name of the tag: it may be a secret that lacks its quotes.
    const isTag = /^Unresolved tag/.test(first.message)
    throw syntax(file, isTag ? 'an unknown tag; text that begins with ! needs quotes' : first.message, line, col)
  }
  inspect(document, (what, offset) => {
    const { line, col } = lines.linePos(offset)
    return syntax(file, what, line, col)
  })
  return document.toJS({ maxAliasCount: 100 })
}

/** More than a person writes; resolving one takes time in proportion to the whole document. */
const maxAliases = 1000

/** What the library does not look for, or only in quadratic time. */
const inspect = (document: Document, wrong: (what: string, offset: number) => ConfigError): void => {
  const anchors = new Set<string>()
  let aliases = 0
  visit(document, {
    Value: (_, { anchor }) => {
      if (anchor !== undefined) anchors.add(anchor)
    },
    Alias: (_, { source, range }) => {
      if (!anchors.has(source))
        throw wrong('there is no anchor for this alias; text that begins with * needs quotes', range?.[0] ?? 0)
      if (++aliases > maxAliases) throw wrong(`more than ${maxAliases} aliases`, range?.[0] ?? 0)
    },
    Map: (_, { items, anchor }) => {
      if (anchor !== undefined) anchors.add(anchor)
      const seen = new Set<unknown>()
      for (const { key } of items) {
        if (!isScalar(key)) continue
        if (seen.has(key.value)) throw wrong(`the key ${JSON.stringify(key.value)} is there twice`, key.range?.[0] ?? 0)
        seen.add(key.value)
      }
    }
  })
}

/** JSON with comments and commas at the end; duplicate keys are refused. */
const readJson: ReadFormat = (file, text) => {
  const place = (offset: number): [line: number, column: number] => {
    const before = text.slice(0, offset).split('\n')
    return [before.length, (before.at(-1)?.length ?? 0) + 1]
  }
  const errors: ParseError[] = []
  const tree = parseTree(text, errors, { allowTrailingComma: true, disallowComments: false })
  const [first] = errors
  if (first !== undefined) throw syntax(file, spaced(printParseErrorCode(first.error)), ...place(first.offset))
  const build = (node: Node): unknown => {
    if (node.type === 'array') return (node.children ?? []).map(build)
    if (node.type !== 'object') return node.value
    const fields = new Map<string, unknown>()
    for (const { children: [key, value] = [] } of node.children ?? []) {
      if (key === undefined || value === undefined) continue
      if (fields.has(key.value))
        throw syntax(file, `the key ${JSON.stringify(key.value)} is there twice`, ...place(key.offset))
      fields.set(key.value, build(value))
    }
    // Unlike an assignment this makes `__proto__` a key like any other, which is refused later, with its path.
    return Object.fromEntries(fields)
  }
  return tree === undefined ? undefined : build(tree)
}

/** `PropertyNameExpected` → `property name expected`. */
const spaced = (code: string): string => code.replaceAll(/(?<=[a-z])[A-Z]/g, (letter) => ` ${letter}`).toLowerCase()

const readToml: ReadFormat = (file, text) => {
  try {
    return parseToml(text)
  } catch (error) {
    if (!(error instanceof TomlError)) throw error
    const [what = 'not TOML'] = error.message.replace('Invalid TOML document: ', '').split('\n')
    throw syntax(file, what, error.line, error.column)
  }
}

/** A module: its default export is the configuration, or a function of the environment that returns it. */
const readCode: ReadFormat = async (file, _text, env) => {
  // No caches: a reload has to see what the file says now, and nothing is left on disk.
  const jiti = createJiti(pathToFileURL(file).href, { moduleCache: false, fsCache: false, interopDefault: false })
  const module = await jiti.import<Record<string, unknown>>(file)
  const isEsm =
    typeof module === 'object' && module !== null && ('__esModule' in module || Symbol.toStringTag in module)
  const exported: unknown = isEsm ? module.default : module
  const config: unknown = typeof exported === 'function' ? await exported({ ...env }) : exported
  if (typeof config !== 'object' || config === null)
    throw syntax(file, 'expected a configuration as the default export, or a function that returns one')
  return config
}

const readers: Readonly<Record<ConfigFormat, ReadFormat>> = {
  yaml: readYaml,
  json: readJson,
  toml: readToml,
  code: readCode
}

/** By the end of the name; a name without one, `.rystrarc`, is YAML, of which JSON is a part. */
export const formatOf: Readonly<Record<string, ConfigFormat>> = {
  '.yaml': 'yaml',
  '.yml': 'yaml',
  '.json': 'json',
  '.toml': 'toml',
  '.ts': 'code',
  '.js': 'code',
  '.mjs': 'code',
  noExt: 'yaml'
}

/**
 * Reads one format.
 * @throws config.syntax with file, line, column and what is wrong there
 */
export const read = async (format: ConfigFormat, file: string, text: string, env: Environment): Promise<unknown> => {
  try {
    return await readers[format](file, text, env)
  } catch (error) {
    if (error instanceof ConfigError) throw error
    const what = error instanceof Error ? error.message : String(error)
    throw syntax(file, what, undefined, undefined, error)
  }
}
