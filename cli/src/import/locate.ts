import { isMap, isPair, isScalar, LineCounter, type Node, type Pair, parseDocument, visit } from 'yaml'

/** Lines of entries by path: `proxies[0].localPort` → 12. */
export type Lines = ReadonlyMap<string, number>

const segment = /"((?:[^"\\]|\\.)*)"|'([^']*)'|([\w-]+)/g

const segmentsOf = (key: string): string[] =>
  [...key.matchAll(segment)].map(([, quoted, literal, bare]) => bare ?? literal ?? quoted ?? '')

/** The path of segments, with the last index of each list of tables on the way. */
const pathOf = (segments: readonly string[], indexes: ReadonlyMap<string, number>): string => {
  let path = ''
  for (const name of segments) {
    path = path === '' ? name : `${path}.${name}`
    const index = indexes.get(path)
    if (index !== undefined) path = `${path}[${index}]`
  }
  return path
}

/** How many brackets a line leaves open, quoted text left out: a list may go over several lines. */
const depthOf = (line: string): number => {
  const bare = line.replaceAll(/"(?:[^"\\]|\\.)*"|'[^']*'|#.*$/g, '')
  return (bare.match(/[[{]/g)?.length ?? 0) - (bare.match(/[\]}]/g)?.length ?? 0)
}

/** Lines of the entries of a TOML text, which is valid. */
export const linesOfToml = (text: string): Lines => {
  const lines = new Map<string, number>()
  const indexes = new Map<string, number>()
  let table = ''
  let open = 0
  let quotes: string | undefined
  for (const [i, line] of text.split(/\r?\n/).entries()) {
    if (quotes !== undefined) {
      if (line.includes(quotes)) quotes = undefined
      continue
    }
    if (open > 0) {
      open += depthOf(line)
      continue
    }
    const header = /^\s*(\[\[?)([^\]]+)\]/.exec(line)
    if (header !== null) {
      const segments = segmentsOf(header[2] as string)
      if (header[1] === '[[') {
        const parent = pathOf(segments.slice(0, -1), indexes)
        const name = parent === '' ? (segments.at(-1) as string) : `${parent}.${segments.at(-1)}`
        indexes.set(name, (indexes.get(name) ?? -1) + 1)
      }
      table = pathOf(segments, indexes)
      lines.set(table, i + 1)
      continue
    }
    const entry = /^\s*((?:"(?:[^"\\]|\\.)*"|'[^']*'|[\w-]+|\s*\.\s*)+?)\s*=(.*)$/.exec(line)
    if (entry === null) continue
    const [, key = '', value = ''] = entry
    const parts = [table, ...segmentsOf(key)].filter((part) => part !== '')
    for (let n = 1; n <= parts.length; n++) {
      const path = parts.slice(0, n).join('.')
      if (n === parts.length || !lines.has(path)) lines.set(path, i + 1)
    }
    quotes = ['"""', "'''"].find((mark) => value.split(mark).length === 2)
    if (quotes === undefined) open = Math.max(0, depthOf(value))
  }
  return lines
}

/** Lines of the entries of a YAML or JSON text, which is valid. */
export const linesOfYaml = (text: string): Lines => {
  const counter = new LineCounter()
  const lines = new Map<string, number>()
  const put = (key: number | string | null, node: Node | Pair, path: readonly unknown[]): void => {
    const at = isPair(node) ? (node.key as Node | undefined) : node
    if (at?.range == null) return
    let name = ''
    for (const [i, step] of path.entries()) {
      if (!isPair(step) || !isScalar(step.key)) continue
      const list = path[i - 1]
      name += isMap(list) && name !== '' ? `.${String(step.key.value)}` : String(step.key.value)
      const items = path[i + 1] as { items?: unknown[] } | undefined
      const item = path[i + 2]
      if (items?.items !== undefined && !isMap(items) && item !== undefined) name += `[${items.items.indexOf(item)}]`
      else if (items?.items !== undefined && !isMap(items) && typeof key === 'number') name += `[${key}]`
    }
    if (isPair(node) && isScalar(node.key)) name += `${name === '' ? '' : '.'}${String(node.key.value)}`
    lines.set(name, counter.linePos(at.range[0]).line)
  }
  visit(parseDocument(text, { lineCounter: counter }), { Pair: put, Map: put })
  return lines
}
