import type { Claim, VisitorInfo } from '@rystra/plugin'
import { expect } from 'chai'
import fc from 'fast-check'
import { HostTable } from '../src/index.js'

const visitor: VisitorInfo = { host: '192.0.2.1', port: 1, to: { host: '192.0.2.2', port: 80 } }
const claim = (value: string): Claim<string> => ({ key: value, size: 1, pick: () => value })
const find = (table: HostTable<string>, host: string, path = '/'): string | undefined =>
  table.find(host, path, visitor)?.proxy

/** The same by a scan of all routes. */
const slowly = (
  routes: readonly (readonly [host: string, path: string])[],
  host: string,
  path: string
): string | undefined => {
  const fits = routes.filter(([, prefix]) => prefix === '/' || path === prefix || path.startsWith(`${prefix}/`))
  const levels = [host, ...host.split('.').map((_, index, labels) => `*.${labels.slice(index + 1).join('.')}`)]
  for (const level of levels) {
    const [best] = fits.filter(([one]) => one === level).sort((a, b) => b[1].length - a[1].length)
    if (best !== undefined) return best.join(' ')
  }
  return undefined
}

describe('the table of routes', () => {
  it('finds what a scan of the whole table finds', () => {
    const label = fc.constantFrom('a', 'b', 'c')
    const host = fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join('.'))
    const wild = fc.tuple(fc.boolean(), host).map(([star, name]) => (star ? `*.${name}` : name))
    const path = fc.array(label, { maxLength: 4 }).map((parts) => `/${parts.join('/')}`)
    fc.assert(
      fc.property(fc.array(fc.tuple(wild, path), { maxLength: 12 }), host, path, (routes, visited, where) => {
        const table = new HostTable<string>()
        const leave = routes.map(([name, prefix]) => table.add(name, prefix, 'me', claim(`${name} ${prefix}`)))
        expect(find(table, visited, where)).to.equal(slowly(routes, visited, where))
        for (const one of leave) one()
        expect(find(table, visited, where)).to.equal(undefined)
        expect(table.size).to.equal(0)
        // Nothing of an owner who has left keeps another out.
        for (const [name, prefix] of routes) table.add(name, prefix, 'other', claim('x'))
      }),
      { numRuns: 500 }
    )
  })

  it('lets no two owners come between each other, in either order', () => {
    for (const [one, other] of [
      ['a.test', 'a.test'],
      ['*.a.test', 'b.a.test'],
      ['*.a.test', 'c.b.a.test'],
      ['*.a.test', '*.a.test'],
      ['*.test', '*.a.test']
    ] as const) {
      for (const [first, second] of [
        [one, other],
        [other, one]
      ] as const) {
        const table = new HostTable<string>()
        const leave = table.add(first, '/', 'me', claim('first'))
        expect(() => table.add(second, '/longer', 'other', claim('second')), `${first}, ${second}`).to.throw(
          /not available/
        )
        expect(() => table.add(second, '/longer', 'me', claim('both'))).to.not.throw()
        leave()
      }
    }
    const table = new HostTable<string>()
    table.add('*.a.test', '/', 'me', claim('first'))
    expect(() => table.add('a.test', '/', 'other', claim('second'))).to.not.throw()
    expect(() => table.add('ba.test', '/', 'other', claim('second'))).to.not.throw()
  })

  it('goes by whole segments of a path', () => {
    const table = new HostTable<string>()
    table.add('a.test', '/api', 'me', claim('api'))
    table.add('a.test', '/api/v2', 'me', claim('v2'))
    for (const [path, expected] of [
      ['/api', 'api'],
      ['/api/', 'api'],
      ['/apis', undefined],
      ['/api/v2x', 'api'],
      ['/api/v2/x', 'v2'],
      ['/', undefined],
      [`/api/v2/${'x/'.repeat(1000)}`, 'v2']
    ] as const) {
      expect(find(table, 'a.test', path), path).to.equal(expected)
    }
  })

  it('holds the hosts of 10,000 proxies, and finds each', () => {
    const table = new HostTable<string>()
    for (let client = 0; client < 10; client += 1) {
      for (let index = 0; index < 1000; index += 1) {
        table.add(`h${index}.c${client}.test`, '/', `owner ${client}`, claim(`${client} ${index}`))
      }
    }
    expect(table.size).to.equal(10_000)
    for (let index = 0; index < 1000; index += 1) {
      expect(find(table, `h${index}.c7.test`)).to.equal(`7 ${index}`)
    }
    expect(find(table, 'h1000.c7.test')).to.equal(undefined)
  })
})
