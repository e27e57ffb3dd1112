import { applyEdits, findNodeAtLocation, type JSONPath, modify, parseTree } from 'jsonc-parser'
import { allOptions, type NewEntry } from './entry.js'

const formattingOf = (text: string) => {
  const indent = /\n([ \t]+)\S/.exec(text)?.[1] ?? '  '
  const insertSpaces = !indent.startsWith('\t')
  return { insertSpaces, tabSize: insertSpaces ? indent.length : 1, eol: text.includes('\r\n') ? '\r\n' : '\n' }
}

/** Entries in the list; nothing when there is no list. */
const lengthOf = (text: string, path: JSONPath): number | undefined => {
  const tree = parseTree(text, [], { allowTrailingComma: true })
  const node = tree === undefined ? undefined : findNodeAtLocation(tree, path)
  return node?.type === 'array' ? (node.children?.length ?? 0) : undefined
}

/** The text with the entry in it, comments and all else kept. `root` is `['rystra']` in a package.json. */
export const addToJson = (text: string, entry: NewEntry, root: JSONPath): string => {
  const options = allOptions(entry)
  const value = Object.keys(options).length === 0 ? entry.use : { use: entry.use, options }
  const path = [...root, 'extensions']
  const formattingOptions = formattingOf(text)
  const length = lengthOf(text, path)
  const edits =
    length === undefined
      ? modify(text, path, [value], { formattingOptions })
      : modify(text, [...path, length], value, { formattingOptions, isArrayInsertion: true })
  return applyEdits(text, edits)
}

/** The text without the entry at `index`. */
export const removeFromJson = (text: string, index: number, root: JSONPath): string | undefined => {
  const path = [...root, 'extensions']
  if (index >= (lengthOf(text, path) ?? 0)) return undefined
  return applyEdits(text, modify(text, [...path, index], undefined, { formattingOptions: formattingOf(text) }))
}
