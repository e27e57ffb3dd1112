import { expect } from 'chai'
import { type ListenEntry, type RystraConfig, diffConfig, validateBase } from '../src/index.js'
import type { ConfigDiff } from '../src/diff.js'
import { officeHours } from './registered.js'

const none = { added: [], changed: [], removed: [], kept: [] }
const diff = (before: RystraConfig, after: RystraConfig): ConfigDiff =>
  diffConfig(validateBase(before, { dir: '/a' }), validateBase(after, { dir: '/a' }))
const connect = { host: 'h' }

describe('the difference of two configurations', () => {
  it('is nothing where nothing changed, however it is written', () => {
    const before: RystraConfig = {
      server: { drain: '10s', publish: { ports: ['1-2', 3] } },
      client: { connect },
      extensions: ['x', { use: 'y' }]
    }
    const after: RystraConfig = {
      server: { drain: 10_000, publish: { ports: ['1-3'] } },
      client: { connect },
      extensions: [{ use: 'x', options: {} }, 'y']
    }
    const found = diff(before, after)
    expect(found.same).to.equal(true)
    expect(found.extensions.kept).to.deep.equal(['x', 'y'])
    expect(diff({}, {})).to.deep.equal({
      extensions: none,
      reordered: false,
      listen: none,
      publish: false,
      connect: false,
      proxies: none,
      forwards: none,
      settings: [],
      details: {},
      same: true
    })
  })

  it('names proxies that were added, changed, removed and kept', () => {
    const of = (...proxies: [name: string, port: number][]): RystraConfig => ({
      client: { connect, proxies: proxies.map(([name, port]) => ({ name, kind: 'tcp', port })) }
    })
    const found = diff(of(['a', 1], ['b', 2], ['c', 3]), of(['c', 3], ['d', 4], ['b', 5]))
    expect(found.proxies).to.deep.equal({ added: ['d'], changed: ['b'], removed: ['a'], kept: ['c'] })
    expect(found.details).to.deep.equal({ 'proxies b': ['port'] })
    expect([found.same, found.connect]).to.deep.equal([false, false])
  })

  it('names listeners by transport and address', () => {
    const listen = (...entries: ListenEntry[]): RystraConfig => ({ server: { listen: entries } })
    const found = diff(listen({ port: 1, x: 1 }, { port: 2 }), listen({ port: 1, x: 2 }, { port: 3 }))
    expect(found.listen).to.deep.equal({
      added: ['tcp 0.0.0.0:3'],
      changed: ['tcp 0.0.0.0:1'],
      removed: ['tcp 0.0.0.0:2'],
      kept: []
    })
  })

  it('names extensions by name, reference, or what they call themselves, each use by itself', () => {
    const before: RystraConfig = {
      extensions: ['x', { use: 'y', options: { a: 1 } }, officeHours({ from: 8 }), { use: 'x', name: 'second' }, 'x']
    }
    const after: RystraConfig = { extensions: ['x', { use: 'y', options: { a: 2 } }, officeHours({ from: 8 }), 'z'] }
    expect(diff(before, after).extensions).to.deep.equal({
      added: ['z'],
      changed: ['y'],
      removed: ['second', 'x #2'],
      kept: ['x', 'office-hours']
    })
  })

  it('says when extensions come in another order', () => {
    expect(diff({ extensions: ['x', 'y', 'z'] }, { extensions: ['y', 'x', 'z'] })).to.include({
      reordered: true,
      same: false
    })
    expect(diff({ extensions: ['x', 'y', 'z'] }, { extensions: ['n', 'x', 'z'] }).reordered).to.equal(false)
  })

  it('says what else changed, by path', () => {
    const before: RystraConfig = { server: { limits: { sessions: 5 } }, client: { connect, drain: 1 } }
    const after: RystraConfig = {
      log: { level: 'warn' },
      server: { drain: 7, publish: { ports: [] } },
      client: { connect: { host: 'i' }, drain: 1 }
    }
    const found = diff(before, after)
    expect(found.settings).to.have.members(['log.level', 'server.limits.sessions', 'server.drain'])
    expect([found.publish, found.connect, found.same]).to.deep.equal([true, true, false])
    expect(diff({}, { server: {} }).settings).to.deep.equal(['server'])
    expect(diff({ client: { id: 'a', connect } }, { client: { id: 'b', connect } }).connect).to.equal(true)
  })
})
