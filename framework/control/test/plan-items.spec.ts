import { ConfigError, type RystraConfig, validateBase } from '@rystra/config'
import { OptionsError } from '@rystra/kernel'
import { RystraError } from '@rystra/model'
import { expect } from 'chai'
import { mergeItems, planItems } from '../src/plan-items.js'
import { problemsOf } from '../src/problems.js'

const items = (before: RystraConfig, after: RystraConfig): string[] =>
  planItems(validateBase(before), validateBase(after)).map(({ action, subject, name, detail }) =>
    [action, subject, name, ...(detail === undefined ? [] : [`(${detail})`])].join(' ')
  )

const acl = (...tokens: { identity: string; token: string }[]): RystraConfig => ({
  extensions: [{ use: '@rystra/auth-token', options: { tokens } }]
})

describe('the items of a plan', () => {
  it('are listeners, extensions, proxies, limits and settings, kept ones too', () => {
    const before: RystraConfig = {
      extensions: ['a', 'b'],
      server: { listen: [{ port: 1 }, { port: 2 }] },
      client: { connect: { host: 'h' }, proxies: [{ name: 'x', kind: 'tcp', local: 1 }] }
    }
    const after: RystraConfig = {
      extensions: ['b', { use: 'c', options: { rate: 1 } }],
      server: { listen: [{ port: 2 }, { port: 3 }], limits: { sessions: 3 }, drain: 5 },
      client: { connect: { host: 'h' }, proxies: [{ name: 'x', kind: 'tcp', local: 2 }] }
    }
    expect(items(before, after)).to.deep.equal([
      'add listener tcp 0.0.0.0:3',
      'remove listener tcp 0.0.0.0:1',
      'keep listener tcp 0.0.0.0:2',
      'add extension c',
      'remove extension a',
      'keep extension b',
      'change proxy x (local)',
      'change setting server.drain',
      'change limit server.limits.sessions'
    ])
  })

  it('name a right by the entry that has it, and show no secret', () => {
    const one = { identity: 'one', token: 'secret-of-one' }
    const two = { identity: 'two', token: 'secret-of-two' }
    const found = items(acl(one, two), acl({ ...one, token: 'another-secret' }))
    expect(found).to.deep.equal([
      'change extension @rystra/auth-token (options.tokens[one].token, options.tokens[two])',
      'change right @rystra/auth-token options.tokens[one].token',
      'change right @rystra/auth-token options.tokens[two]'
    ])
    expect(found.join()).not.to.include('secret-of')
  })

  it('are one for each thing: what is said later adds to it', () => {
    const merged = mergeItems(
      [{ action: 'keep', subject: 'proxy', name: 'x', detail: 'a' }],
      [{ action: 'remove', subject: 'proxy', name: 'x', streams: 2 }]
    )
    expect(merged).to.deep.equal([{ action: 'remove', subject: 'proxy', name: 'x', detail: 'a', streams: 2 }])
  })
})

describe('the problems of a configuration', () => {
  it('have path, code and reason, of configurations, options and everything else', () => {
    const problem = { path: 'server.drain', value: '-1', expected: 'a duration', hint: 'write 10s' }
    expect(problemsOf(new ConfigError('config.invalid', [problem]))).to.deep.equal([
      { path: 'server.drain', code: 'config.invalid', reason: 'got -1, expected a duration: write 10s' }
    ])
    const option = { extension: 'hook-acl', path: 'options.rules', value: 'null', expected: 'a list' }
    expect(problemsOf(new OptionsError([option]))).to.deep.equal([
      { path: 'extensions[hook-acl].options.rules', code: 'extension.options', reason: 'got null, expected a list' }
    ])
    const [other] = problemsOf(new RystraError('listen.in-use', { detail: ':80' }))
    expect([other?.path, other?.code]).to.deep.equal(['', 'listen.in-use'])
    expect(other?.reason).to.include(':80')
  })
})
