import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { root, workspaces } from './workspaces.js'

/** A fenced block. */
export interface Block {
  /** Relative to the root. */
  readonly page: string
  /** Of the opening fence, from 1. */
  readonly line: number
  readonly language: string
  /** What follows the language: `no-check`, for one. */
  readonly mark: string
  readonly text: string
  /** The file that the sentence before the block names, if any: `hooks/office-hours.ts`. */
  readonly file: string | undefined
}

/** One page of documentation. */
export interface Page {
  readonly file: string
  readonly text: string
  readonly blocks: readonly Block[]
  /** The text without fenced blocks and without code in lines. */
  readonly prose: string
}

const fence = /^( *)(`{3,})([\w-]*) *(.*)$/

const read = (file: string): Page => {
  const text = readFileSync(path.join(root, file), 'utf8')
  const lines = text.split('\n')
  const blocks: Block[] = []
  const prose: string[] = []
  for (let at = 0; at < lines.length; at++) {
    const open = fence.exec(lines[at] as string)
    if (open === null) {
      prose.push(lines[at] as string)
      continue
    }
    const [, indent = '', ticks = '', language = '', mark = ''] = open
    const start = at + 1
    do at++
    while (at < lines.length && lines[at]?.trim() !== ticks)
    const before = lines.slice(Math.max(0, start - 4), start - 1).join('\n')
    blocks.push({
      page: file,
      line: start,
      language,
      mark: mark.trim(),
      text: `${lines
        .slice(start, at)
        .map((line) => (line.startsWith(indent) ? line.slice(indent.length) : line))
        .join('\n')}\n`,
      file: [...before.matchAll(/`([\w./-]+\.[jt]s)`/g)].at(-1)?.[1]
    })
  }
  return { file, text, blocks, prose: prose.join('\n').replaceAll(/`[^`\n]*`/g, (code) => '·'.repeat(code.length)) }
}

const below = (folder: string): string[] =>
  existsSync(path.join(root, folder))
    ? readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
        .filter((name) => name.endsWith('.md'))
        .map((name) => path.join(folder, name))
    : []

/** Every page: of the root, of docs, of the tests, and of each package. */
export const pages = (): Page[] =>
  [
    'README.md',
    'CONTRIBUTING.md',
    'CHANGELOG.md',
    ...below('docs'),
    'test/bench/README.md',
    'test/interop/README.md',
    'framework/protocol/SPEC.md',
    ...workspaces().map(({ dir }) => path.join(path.relative(root, dir), 'README.md'))
  ]
    .filter((file) => existsSync(path.join(root, file)))
    .map(read)

/** What a heading is called in a link, as GitHub makes it. */
export const anchors = ({ text }: Page): Set<string> => {
  const found = new Map<string, number>()
  const names = new Set<string>()
  for (const [, heading = ''] of text.replaceAll(/^```[\s\S]*?^```/gm, '').matchAll(/^#{1,6} +(.+?) *$/gm)) {
    const slug = heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-')
    const times = found.get(slug) ?? 0
    found.set(slug, times + 1)
    names.add(times === 0 ? slug : `${slug}-${times}`)
  }
  return names
}
