import { errorTable } from '@rystra/model'
import { expect } from 'chai'
import { readFileSync } from 'node:fs'
import { wellKnownKeys } from '../src/frame/metadata.js'
import { Flag, FrameType, isFrame } from '../src/frame/types.js'
import * as limits from '../src/limits.js'
import { samples } from './frames.js'

const text = readFileSync(new URL('../SPEC.md', import.meta.url), 'utf8')
const vectors = JSON.parse(readFileSync(new URL('../vectors.json', import.meta.url), 'utf8')) as Record<string, string>

const rows = (pattern: RegExp): string[][] =>
  [...text.matchAll(pattern)].map((match) => match.slice(1).map((cell) => cell.trim()))

describe('SPEC.md', () => {
  it('has the bytes of the vectors', () => {
    const hex = Object.fromEntries(Object.entries(samples()).map(([name, bytes]) => [name, bytes.toString('hex')]))
    expect(hex).to.deep.equal(vectors)
  })

  it('says every type with its number and its flags', () => {
    const said = rows(/^\| (\w+) +\| `([0-9a-f]{2})` +\| ([a-z ]*)\|$/gm)
    expect(said.map(([name, number]) => [name, Number.parseInt(number as string, 16)])).to.deep.equal(
      Object.entries(FrameType)
    )
    for (const [name, number = '', flags = ''] of said) {
      for (const [flag, bit] of Object.entries(Flag)) {
        const has = flags.split(' ').includes(flag)
        expect(isFrame(Number.parseInt(number, 16), bit), `${name} ${flag}`).to.equal(has)
      }
    }
  })

  it('says every flag with its bit', () => {
    const said = rows(/^\| `([0-9a-f]{2})` \| (\w+) +\|/gm).map(([bit, name]) => [
      name,
      Number.parseInt(bit as string, 16)
    ])
    expect(Object.fromEntries(said)).to.deep.equal({ ...Flag })
  })

  it('says every limit as it is', () => {
    const said = rows(/^\| `([A-Z_]+)` \| (\d+) \|/gm).map(([name, value]) => [name, Number(value)])
    expect(Object.fromEntries(said)).to.deep.equal({ ...limits })
  })

  it('says every key that has a number', () => {
    const said = rows(/^\| (\d+) \| ([a-z-]+) \| \| (\d+) \| ([a-z-]+) \|$/gm).flatMap(([a, one, b, other]) => [
      [Number(a), one],
      [Number(b), other]
    ])
    const is = wellKnownKeys.map((key, index) => [index + 1, key])
    expect(said.sort(([a], [b]) => Number(a) - Number(b))).to.deep.equal(is)
  })

  it('names no error code that does not exist', () => {
    for (const [, code] of text.matchAll(/`(rpc\.[a-z-]+)`/g)) expect(errorTable).to.have.property(code as string)
  })
})
