import { expect } from 'chai'
import { defineConfig } from '../src/index.js'

describe('a configuration in TypeScript', () => {
  it('is what it was given, and has its options checked by the compiler where an extension is used by its name', () => {
    const config = defineConfig({
      extensions: [
        '@rystra/hook-acl',
        { use: '@rystra/auth-token', options: { token: 'a token', identity: 'home' } },
        { use: './hooks/mine.ts', options: { whatever: 1 } },
        { use: 'rystra-unknown', name: 'second', options: { whatever: 1 } }
      ],
      server: { listen: [{ transport: 'tcp', host: '127.0.0.1', port: 7000 }] }
    })
    expect(config.extensions).lengthOf(4)
    const options = { token: 'a token', tokn: 'a mistake' }
    // @ts-expect-error a misspelt option
    expect(defineConfig({ extensions: [{ use: '@rystra/auth-token', options }] })).an('object')
    // @ts-expect-error an option of the wrong type
    expect(defineConfig({ extensions: [{ use: '@rystra/mux-yamux', options: { maxStreams: 'many' } }] })).an('object')
    // @ts-expect-error an extension without options
    expect(defineConfig({ extensions: [{ use: '@rystra/proxy-tcp', options: { port: 1 } }] })).an('object')
    expect(defineConfig(() => ({ extensions: [] }))).a('function')
  })
})
