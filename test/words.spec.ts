import { expect } from 'chai'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { findBanned } from '../scripts/words/find.js'
import { bannedWords } from '../scripts/words/glossary.js'
import { root } from './workspaces.js'

const banned = bannedWords(readFileSync(path.join(root, 'docs/glossary.md'), 'utf8'))
const found = (file: string, source: string): string[] =>
  findBanned(file, source, banned).map(({ line, word }) => `${line} ${word}`)

describe('the words of the glossary', () => {
  it('are held to in names, comments, messages and pages', () => {
    expect(found('a.ts', 'const FAREWELL_MS = 1\nclass HTTPStrangers {}\n// not for anybody\n')).deep.equal([
      '1 farewell',
      '2 strangers',
      '3 anybody'
    ])
    expect(found('a.ts', "deny('the path is none')\nconst text = `$" + '{x} waits in vain`')).deep.equal([
      '1 is none',
      '2 vain'
    ])
    expect(found('a.md', 'What nobody\nreads.')).deep.equal(['1 nobody'])
  })

  it('are found where a sentence is broken over lines', () => {
    expect(found('a.ts', '/**\n * The path is\n * none at all.\n */')).deep.equal(['2 is none'])
    expect(found('a.ts', '// The path is\n// none at all.')).deep.equal(['1 is none'])
    expect(found('a.ts', "deny('the path is ' +\n  'none')")).deep.equal(['1 is none'])
    expect(found('a.md', 'The path is\nnone at all.')).deep.equal(['1 is none'])
    expect(found('a.md', 'It is\n\nNone of these')).deep.equal([])
    expect(found('a.ts', '// That is.\n// None of these.\nconst is = 1\nconst none = 2')).deep.equal([])
  })

  it('do not match within other words, nor over the end of a sentence', () => {
    expect(
      found('a.ts', '// impulsed, vainly, is nonetheless; the reason is: none\nconst pulsed = isNonEmpty')
    ).deep.equal([])
  })

  it('ban a verb as a name only: not in a comment, a string or a page', () => {
    expect(found('a.ts', 'const toldOnce = 1')).deep.equal(['1 told'])
    expect(found('a.ts', "// told once\n/* told\n */ say('told', `told`)\nasked()")).deep.equal(['4 asked'])
    expect(found('a.ts', 'say(`told $' + '{asked}`)')).deep.equal(['1 asked'])
    expect(found('a.md', 'It was told once.')).deep.equal([])
  })

  it('ban Who at the start of a sentence, not within one', () => {
    expect(found('a.ts', '/** Who may open it. */')).deep.equal(['1 who'])
    expect(found('a.md', '| a | clients who came |\n\nIt ends. Who opens it pays.')).deep.equal(['3 who'])
  })

  it('have constants of time say their unit', () => {
    const doc = '/** Milliseconds the peer has. */\n'
    expect(
      found('a.ts', `${doc}const LINGER = 1\n/**\n * Milliseconds it\n * has.\n */\nexport const wait = 2`)
    ).deep.equal(['2 LINGER', '7 wait'])
    expect(found('a.ts', `${doc}const LINGER_MS = 1\n${doc}const dialTimeout = 2\n${doc}  wait = 3`)).deep.equal([])
  })

  it('need all three tables, none of them empty', () => {
    expect(() => bannedWords('# Glossary')).throws('Banned anywhere')
    expect(() => bannedWords('\n## Banned anywhere\n\nnothing\n')).throws('bans nothing')
  })
})
