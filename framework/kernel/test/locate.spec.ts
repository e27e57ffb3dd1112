import { expect } from 'chai'
import { entryOf } from '../src/load/entry.js'
import { isPath, locateExtension } from '../src/load/locate.js'
import { project } from './fixtures.js'

describe('the entry of a package', () => {
  it('is found as Node finds it', () => {
    expect(entryOf({})).equal('./index.js')
    expect(entryOf({ main: 'lib/a.js' })).equal('lib/a.js')
    expect(entryOf({ main: 'x', exports: './a.js' })).equal('./a.js')
    expect(entryOf({ exports: { require: './a.cjs', default: './a.js' } })).equal('./a.js')
    expect(entryOf({ exports: { '.': { node: { import: './n.js' }, default: './d.js' } } })).equal('./n.js')
    expect(entryOf({ exports: { '.': [{ never: './x.js' }, './a.js'] } })).equal('./a.js')
    expect(entryOf({ exports: { './a': './a.js' } })).equal(undefined)
    expect(entryOf({ exports: { './a': './a.js' } }, './a')).equal('./a.js')
    expect(entryOf({ exports: { '.': { import: null, default: './a.js' } } })).equal(undefined)
    expect(entryOf({}, './lib/x.js')).equal('./lib/x.js')
  })

  it('honours patterns, the most exact first', () => {
    const exports = {
      './h/*': './src/*.js',
      './h/private/*': null,
      './h/*.json': './data/*.json',
      './x/*': './x/*/*.js'
    }
    expect(entryOf({ exports }, './h/a')).equal('./src/a.js')
    expect(entryOf({ exports }, './h/a/b')).equal('./src/a/b.js')
    expect(entryOf({ exports }, './h/private/a')).equal(undefined)
    expect(entryOf({ exports }, './x/a')).equal('./x/a/a.js')
    expect(entryOf({ exports }, './h/')).equal(undefined)
    expect(entryOf({ exports }, './h/*')).equal(undefined)
  })

  it('never leaves the package', () => {
    expect(entryOf({ exports: '../../etc/passwd' })).equal(undefined)
    expect(entryOf({ exports: { './*': './*.js' } }, './../../x')).equal(undefined)
    expect(entryOf({ exports: '/etc/passwd' })).equal(undefined)
  })
})

describe('references', () => {
  it('are paths when they look like one', () => {
    expect(['./a', '../a', '/a', 'file:///a', '.', '..'].map(isPath)).deep.equal([true, true, true, true, true, true])
    expect(['a', '@a/b', '.a', '..a', 'a/b'].map(isPath)).deep.equal([false, false, false, false, false])
  })

  it('are located in folders whose package.json begins with a byte order mark', () => {
    const { dir, remove } = project({ 'own/package.json': '\uFEFF{"exports":"./x.js"}', 'own/x.js': '' })
    expect(locateExtension('./own', { dir }).file).equal(`${dir}/own/x.js`)
    remove()
  })

  it('are located without running anything', () => {
    const { dir, remove } = project({ 'x.mjs': 'process.exit(9)' })
    expect(locateExtension('./x.mjs', { dir })).deep.equal({ file: `${dir}/x.mjs` })
    remove()
  })
})
