import { expect } from 'chai'
import { tmpdir } from 'node:os'
import { installedPackage } from '../src/installed-package.js'

describe('the packages of a program', () => {
  const started = process.cwd()
  afterEach(() => process.chdir(started))

  it('are found beside the program, in whatever folder it is started', () => {
    process.chdir(tmpdir())
    expect(installedPackage('@rystra/mux-yamux')).to.match(/node_modules[/\\]@rystra[/\\]mux-yamux$/)
    expect(installedPackage('@rystra/not-installed')).to.equal(undefined)
  })
})
