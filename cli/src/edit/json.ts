import { applyEdits, findNodeAtLocation, type JSONPath, modify, parseTree } from 'jsonc-parser'
import { allOptions, type NewEntry } from './entry.js'
import { appendItem, type List, listAt, mask, removeItem, scriptSyntax } from './scan.js'

const formattingOf = (text: string) => {
  const indent = /\n([ \t]+)\S/.exec(text)?.[1] ?? '  '
  const insertSpaces = !indent.startsWith('\t')
  return { insertSpaces, tabSize: insertSpaces ? indent.length : 1, eol: text.includes('\r\n') ? '\r\n' : '\n' }
}

const findList = (text: string, masked: string, root: JSONPath): List | undefined => {
  const tree = parseTree(text, [], { allowTrailingComma: true })
  const node = tree === undefined ? undefined : findNodeAtLocation(tree, [...root, 'extensions'])
  return node?.type === 'array' ? listAt(masked, node.offset) : undefined
}

/** The text with the entry in it, comments and all else kept. `root` is `['rystra']` in a package.json. */
export const addToJson = (text: string, entry: NewEntry, root: JSONPath): string => {
  const options = allOptions(entry)
  const value = Object.keys(options).length === 0 ? entry.use : { use: entry.use, options }
  const list = findList(text, mask(text, scriptSyntax), root)
  if (list !== undefined && list.items.length > 0) {
    return appendItem(text, list, (indent) =>
      indent === undefined ? JSON.stringify(value) : JSON.stringify(value, null, 2).replaceAll('\n', `\n${indent}`)
    )
  }
  const path = [...root, 'extensions']
  return applyEdits(text, modify(text, path, [value], { formattingOptions: formattingOf(text) }))
}

/** The text without the entry at `index`. */
export const removeFromJson = (text: string, index: number, root: JSONPath): string | undefined => {
  const masked = mask(text, scriptSyntax)
  const list = findList(text, masked, root)
  return list?.items[index] === undefined ? undefined : removeItem(text, masked, list, index)
}
