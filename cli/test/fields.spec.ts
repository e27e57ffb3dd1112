import { expect } from 'chai'
import { failure } from '@rystra/testkit'
import { fieldPairs } from '../src/run/fields.js'

const fields = (...pairs: string[]): Record<string, unknown> => fieldPairs(pairs, '--set', 'proxy', ['port'])
const message = (pair: string): Promise<string> =>
  failure(Promise.resolve().then(() => fields(pair))).then((error) => error.message)

describe('field=value on the command line', () => {
  it('takes text, numbers, booleans, lists and objects', () => {
    expect(
      fields('a=x', 'b=5', 'c=true', 'd=[x, 2]', 'e=["1", "b, c"]', 'f={"g": [1]}', 'h=[]', 'i=a=b')
    ).to.deep.equal({
      a: 'x',
      b: 5,
      c: true,
      d: ['x', 2],
      e: ['1', 'b, c'],
      f: { g: [1] },
      h: [],
      i: 'a=b'
    })
    expect(fields('a.b.c=1', 'a.b.d=2', 'x=1', 'x=2')).to.deep.equal({ a: { b: { c: 1, d: 2 } }, x: [1, 2] })
  })

  it('says what is wrong with it: its form, or that something else gives the field', async () => {
    expect(await message('idle')).to.match(/--set: expected field=value of the proxy, such as .*, got "idle"/)
    expect(await message('a..b=1')).to.include('expected field=value')
    expect(await message('a.__proto__.b=1')).to.include('expected field=value')
    expect(await message('port=3')).to.include('--set: port of the proxy is given by an argument or a flag of its own')
    expect({}).not.to.have.property('b')
  })
})
