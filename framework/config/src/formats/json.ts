import { type Node, type ParseError, parseTree, printParseErrorCode } from 'jsonc-parser'
import type { ReadFormat } from './format.js'
import { syntax } from './syntax.js'

/** JSON with comments and commas at the end; duplicate keys are refused. */
export const read: ReadFormat = (file, text) => {
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
