import { expect } from 'chai'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { isRystraError } from 'rystra'
import { expose } from '../src/client.js'
import { serve } from '../src/server.js'

const here = path.resolve(import.meta.dirname, '..')

describe('a program with a tunnel inside', () => {
  it('says what happens at both ends, is visited, and comes to an end by itself', async () => {
    const source = process.env['RYSTRA_TEST_BUILT'] === '1' ? [] : ['--conditions=rystra-source']
    const program = spawn(process.execPath, [...source, '--import=tsx', 'src/both.ts'], {
      cwd: here
    })
    const [out, errors, [code]] = await Promise.all([text(program.stdout), text(program.stderr), once(program, 'exit')])
    expect(errors, 'stderr').to.equal('')
    expect(code, 'exit code').to.equal(0)
    expect(out).to.match(/^server: embedded came from 127\.0\.0\.1$/m)
    expect(out).to.match(/^client: web is at 127\.0\.0\.1:2\d{4}$/m)
    expect(out).to.match(/^visitor: hello from inside$/m)
    expect(out).to.match(/^server: web sent [1-9]\d* bytes$/m)
  })

  it('gets errors with a code from either end', async () => {
    const lines: string[] = []
    const say = (line: string): void => void lines.push(line)
    const server = await serve('the right token, and long', 0, say)
    const refused = once(server, 'refused')
    try {
      const error: unknown = await expose(
        '127.0.0.1:1',
        'the wrong token, and long',
        server.listening[0]?.port ?? 0,
        say
      ).then(
        () => undefined,
        (thrown: unknown) => thrown
      )
      expect(isRystraError(error) && error.code).to.equal('auth.refused')
      expect((await refused)[0]).to.nested.include({ what: 'session', 'error.code': 'auth.refused' })
      expect(lines.join()).to.match(/^server: refused a session, .*: auth\.refused$/)
    } finally {
      await server.stop()
    }
  })
})
