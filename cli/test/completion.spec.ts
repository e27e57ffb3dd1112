import { expect } from 'chai'
import { execFileSync, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { Folders } from './folder.js'
import { completionScript, type Completable, shells } from '../src/completion/script.js'

const commands: Completable[] = [
  { id: 'plugins:add', summary: "It's adding.", flags: [{ name: 'dry-run', summary: 'Change nothing.' }] },
  { id: 'plugins:list', summary: 'Lists.', flags: [] },
  {
    id: 'serve',
    summary: 'Runs `the` $server.',
    flags: [
      { name: 'port', summary: 'A port.' },
      { name: 'host', summary: 'A host.' }
    ]
  }
]

/** What bash offers behind a line. */
const offered = (line: string): string[] => {
  const script = `${completionScript('bash', commands)}
COMP_LINE="$1"; COMP_POINT=\${#1}; COMP_WORDBREAKS=$' \\t\\n"\\'><=;|&(:'
_rystra; printf '%s\\n' "\${COMPREPLY[@]}"`
  return execFileSync('bash', ['-c', script, 'bash', line], { encoding: 'utf8' })
    .split('\n')
    .filter((word) => word !== '')
}

describe('completion', () => {
  const folders = new Folders()
  afterEach(() => folders.clean())

  it('bash offers commands, and the flags of a command', () => {
    expect(offered('rystra s')).to.deep.equal(['serve'])
    expect(offered('rystra serve --')).to.deep.equal(['--port', '--host'])
    expect(offered('rystra serve --p')).to.deep.equal(['--port'])
    expect(offered('rystra plugins:add --d')).to.deep.equal(['--dry-run'])
    expect(offered('rystra frob --')).to.deep.equal([])
  })

  it('bash goes on behind a colon, which ends a word there', () => {
    expect(offered('rystra plugins:')).to.deep.equal(['add', 'list'])
    expect(offered('rystra plugins:a')).to.deep.equal(['add'])
  })

  it('is a script that the shell can read, whatever the descriptions say', () => {
    let read = 0
    for (const shell of shells) {
      const dir = folders.make({ script: completionScript(shell, commands) })
      const { error, status, stderr } = spawnSync(shell, ['-n', join(dir, 'script')], { encoding: 'utf8' })
      if (error !== undefined) continue
      expect(status, `${shell}: ${stderr}`).to.equal(0)
      read++
    }
    expect(read).to.be.greaterThan(0)
    expect(completionScript('fish', commands)).to.include("-d 'It\\'s adding.'")
    expect(completionScript('zsh', commands)).to.include(`'plugins\\:add:It'\\''s adding.'`)
  })
})
