import { Document, isScalar, type Node, Pair, Scalar, YAMLMap, YAMLSeq } from 'yaml'
import { Commented, type Draft } from './draft.js'
import type { Note } from './note.js'

const commentOf = (lines: readonly string[]): string => lines.map((line) => ` ${line}`).join('\n')

const nodeOf = (value: unknown): Node => {
  if (value instanceof Commented) {
    const node = nodeOf(value.value)
    node.commentBefore = commentOf(value.lines)
    return node
  }
  if (Array.isArray(value)) {
    const list = new YAMLSeq()
    list.items = value.map(nodeOf)
    list.flow = list.items.length === 0 || list.items.every((item) => isScalar(item) && item.commentBefore == null)
    return list
  }
  if (typeof value === 'object' && value !== null) {
    const map = new YAMLMap()
    for (const [name, inner] of Object.entries(value)) {
      const key = new Scalar(name)
      if (inner instanceof Commented) key.commentBefore = commentOf(inner.lines)
      map.items.push(new Pair(key, nodeOf(inner instanceof Commented ? inner.value : inner)))
    }
    map.flow = map.items.length === 0
    return map
  }
  const scalar = new Scalar(value)
  // Text that YAML 1.1 reads as something else (`on`, `22:22`) is quoted for readers as well.
  if (typeof value === 'string' && !/^[A-Za-z][\w./-]*$/.test(value)) scalar.type = 'QUOTE_SINGLE'
  return scalar
}

const where = ({ line, key }: Note): string => (line === undefined ? key : `line ${line}, ${key}`)

/** The configuration in YAML, with comments. */
export const renderYaml = (draft: Draft, source: string): string => {
  const document = new Document()
  const root = nodeOf(draft.config()) as YAMLMap
  for (const { key } of root.items.slice(1)) (key as Scalar).spaceBefore = true
  document.contents = root as typeof document.contents
  const lost = draft.notes.filter(({ outcome }) => outcome === 'none')
  const top = [
    `Imported from ${source} by \`rystra import\`. Check it with: npx rystra check`,
    ...(lost.length === 0 ? [] : ['', `No equivalent in Rystra, and left out:`]),
    ...lost.map((note) => `- ${where(note)}: ${note.text}`)
  ]
  document.commentBefore = top.map((line) => (line === '' ? '' : ` ${line}`)).join('\n')
  return document.toString({ lineWidth: 0, singleQuote: true, flowCollectionPadding: true })
}

/** A value for `.env`, quoted where needed. */
const envValue = (value: string): string => {
  if (/^[\w./:@+=-]*$/.test(value)) return value
  const quote = ["'", '"', '`'].find((mark) => !value.includes(mark))
  return quote === undefined ? value : `${quote}${value}${quote}`
}

/** The lines of `.env`. Names in `present` are left out. */
export const renderEnv = (draft: Draft, present: ReadonlySet<string> = new Set()): string =>
  [...draft.env]
    .filter(([name]) => !present.has(name))
    .map(
      ([name, { value, comment }]) =>
        `# ${comment}\n${value === undefined ? `# ${name}=` : `${name}=${envValue(value)}`}\n`
    )
    .join('')
