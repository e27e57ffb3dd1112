import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect } from 'chai'

const script = `
  import { encode, FrameDecoder } from '@rystra/protocol'
  const decoder = new FrameDecoder()
  decoder.push(encode({ type: 'OpenStream', id: '1', proxy: 'ssh', visitor: ['::1', 1], to: ['::1', 2] }))
  let refused = ''
  try { encode({ type: 'RequestLinks', count: 0 }) } catch (error) { refused = error.code }
  try { new Function('') } catch (error) { console.log(JSON.stringify([decoder.next().type, refused, error.name])) }
`

describe('where code must not be generated from strings', () => {
  it('messages are checked all the same', async () => {
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--disallow-code-generation-from-strings', ...process.execArgv, '--input-type=module', '--eval', script],
      { cwd: import.meta.dirname }
    )
    expect(JSON.parse(stdout)).to.deep.equal(['OpenStream', 'protocol.malformed', 'EvalError'])
  })
})
