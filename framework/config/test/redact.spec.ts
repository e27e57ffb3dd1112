import { defineExtension, type Registries, Type } from '@rystra/plugin'
import { expect } from 'chai'
import { redactConfig } from '../src/index.js'

const options = Type.Object({ phrase: Type.String({ secret: true, default: '', description: 'A phrase' }) })
const guard = defineExtension({ name: 'guard', options, setup: () => {} })

const registry = (things: Record<string, unknown>) => ({
  has: (name: string) => name in things,
  get: (name: string) => things[name],
  list: () => Object.keys(things)
})
const pin = Type.Object({ pin: Type.String({ secret: true }), key: Type.String({ secret: false }) })
const registries = {
  transports: registry({ radio: { name: 'radio', listenOptions: pin, dialOptions: pin } }),
  muxers: registry({}),
  proxies: registry({ lock: { kind: 'lock', spec: pin, forward: pin } })
} as unknown as Registries

describe('a configuration for people to see', () => {
  it('has no secrets: neither of extensions, nor of transports and kinds, nor by their names', () => {
    const field = { pin: '1234', key: '/etc/key', token: 'unknown to the schema' }
    const seen = redactConfig(
      {
        extensions: [guard({ phrase: 'sesame' }), { use: 'guard', options: { phrase: 'sesame' } }, './mine.ts', guard],
        server: {
          listen: [
            { transport: 'radio', ...field },
            { transport: 'unknown', ...field }
          ]
        },
        client: {
          id: 'home',
          connect: { transport: 'radio', ...field },
          proxies: [{ name: 'a', kind: 'lock', ...field }],
          forwards: [{ name: 'b', kind: 'lock', ...field }]
        },
        log: { level: 'info' }
      },
      { extensions: new Map([['guard', options]]), registries }
    )
    const clean = { pin: '[redacted]', key: '/etc/key', token: '[redacted]' }
    expect(seen).deep.equal({
      extensions: [
        { use: 'guard', options: { phrase: '[redacted]' } },
        { use: 'guard', options: { phrase: '[redacted]' } },
        './mine.ts',
        'guard'
      ],
      server: {
        listen: [
          { transport: 'radio', ...clean },
          { transport: 'unknown', pin: '1234', key: '[redacted]', token: '[redacted]' }
        ]
      },
      client: {
        id: 'home',
        connect: { transport: 'radio', ...clean },
        proxies: [{ name: 'a', kind: 'lock', ...clean }],
        forwards: [{ name: 'b', kind: 'lock', ...clean }]
      },
      log: { level: 'info' }
    })
  })

  it('is shown whatever it is, without a throw', () => {
    for (const odd of [undefined, null, 1, [], { extensions: 1, server: [], client: 'x' }, { server: { listen: {} } }])
      expect(() => redactConfig(odd)).not.throw()
  })
})
