import { defineExtension, type ProxyKind, type Registries, type Transport, Type } from '@rystra/plugin'
import { expect } from 'chai'
import { Kernel, nearest, packageFor } from '../src/index.js'
import { didYouMean } from '../src/options/suggest.js'
import { extension, failure, provisioned } from './fixtures.js'

const transport = (name: string): Transport => ({
  name,
  listen: () => Promise.reject(new Error('not here')),
  dial: () => Promise.reject(new Error('not here'))
})

const kind = (name: string): ProxyKind => ({
  kind: name,
  spec: Type.Object({}),
  publish: () => Promise.reject(new Error('not here')),
  reach: () => Promise.resolve()
})

const brings = (name: string, ...transports: string[]) =>
  extension(name, ({ registries }) => {
    for (const one of transports) registries.transports.add(transport(one))
  })()

describe('registries', () => {
  it('give what was added, by name, in the order it was added', async () => {
    const { kernel } = await provisioned([brings('a', 'tcp', 'tls'), brings('b', 'quic')])
    const { transports } = kernel.current.registries
    expect(transports.list()).deep.equal(['tcp', 'tls', 'quic'])
    expect(transports.get('tls').name).equal('tls')
    expect([transports.has('tcp'), transports.has('udp')]).deep.equal([true, false])
  })

  it('name what exists when something is missing, and what was probably meant', async () => {
    const { kernel } = await provisioned([brings('a', 'tcp', 'quic')])
    const error = await failure(() => kernel.current.registries.transports.get('qiuc'), 'registry.unknown')
    expect(error.detail).equal('no transport named "qiuc"; registered: tcp, quic; did you mean "quic"?')
    const tls = await failure(() => kernel.current.registries.transports.get('tls-pinned'), 'registry.unknown')
    expect(tls.detail).equal('no transport named "tls-pinned"; registered: tcp, quic')
    expect(tls.hint, 'a name that is made up could be of a package of another author').not.include('@rystra/')
  })

  it('say so when nothing is there at all', async () => {
    const { kernel } = await provisioned([])
    const error = await failure(() => kernel.current.registries.proxies.get('tcp'), 'registry.unknown')
    expect(error.detail).equal('no kind of proxy named "tcp"; nothing is registered')
    expect(error.hint).include('check the spelling')
  })

  it('do not take the names of all objects for things', async () => {
    const { kernel } = await provisioned([])
    for (const name of ['constructor', '__proto__', 'toString', '']) {
      expect(kernel.current.registries.proxies.has(name)).equal(false)
      await failure(() => kernel.current.registries.proxies.get(name), 'registry.unknown')
    }
  })

  it('refuse a second thing of the same name, naming both extensions', async () => {
    const error = await failure(provisioned([brings('a', 'tcp'), brings('b', 'tcp')]), 'registry.duplicate')
    expect(error.detail).equal('the transport "tcp" of a and b')
    const twice = await failure(provisioned([brings('a', 'tcp', 'tcp')]), 'registry.duplicate')
    expect(twice.detail).equal('the transport "tcp" of a, twice')
  })

  it('take the name from where each kind of thing carries it', async () => {
    const all = extension('all', ({ registries }) => {
      registries.transports.add(transport('t'))
      registries.muxers.add({ name: 'm', wrap: () => ({}) as never })
      registries.proxies.add(kind('k'))
      registries.authenticators.add({ method: 'a' })
      registries.relays.add({ name: 'r', accepts: () => false, join: () => undefined })
      registries.discoveries.add({ name: 'd' })
    })
    const { kernel } = await provisioned([all()])
    const expected = ['transport:t', 'muxer:m', 'kind:k', 'authenticator:a', 'relay:r', 'discovery:d']
    expect(kernel.inspect().extensions[0]?.registers).deep.equal(expected)
    expect(kernel.current.registries.proxies.list()).deep.equal(['k'])
    expect(kernel.current.registries.authenticators.list()).deep.equal(['a'])
  })

  const wrong: Record<string, (registries: Registries) => void> = {
    'a transport without a name': ({ transports }) => transports.add({ ...transport('x'), name: '' }),
    'a name with a space': ({ transports }) => transports.add(transport('a b')),
    'a transport that cannot dial': ({ transports }) => transports.add({ ...transport('x'), dial: undefined } as never),
    'a muxer that cannot wrap': ({ muxers }) => muxers.add({ name: 'x' } as never),
    'a kind that cannot publish': ({ proxies }) => proxies.add({ ...kind('x'), publish: undefined } as never),
    null: ({ relays }) => relays.add(null as never),
    text: ({ relays }) => relays.add('relay' as never)
  }
  for (const [what, add] of Object.entries(wrong)) {
    it(`refuse ${what}`, async () => {
      const odd = extension('odd', ({ registries }) => add(registries))
      const error = await failure(provisioned([odd()]), 'extension.setup-failed')
      expect(error.detail).match(/^odd: /)
    })
  }

  it('are frozen once the generation is made, for the framework and for extensions', async () => {
    let late = (): void => {}
    const a = extension('a', ({ registries }) => {
      late = () => registries.transports.add(transport('late'))
    })
    const { kernel } = await provisioned([a()])
    const error = await failure(late, 'extension.too-late')
    expect(error.message).include('a registers the transport "late"')
    await failure(() => kernel.current.registries.transports.add(transport('late')), 'extension.too-late')
    expect(kernel.current.registries.transports.list()).deep.equal([])
  })

  it('let an extension look up what others registered: earlier ones at set-up, all later, and after a reload the new ones', async () => {
    const seen: string[][] = []
    let listNames = (): readonly string[] => []
    const a = extension('a', ({ registries }) => {
      listNames = () => registries.transports.list()
      seen.push([...listNames()])
    })()
    const kernel = new Kernel({ side: 'server' })
    const first = brings('first', 'tcp')
    await kernel.provision([first, a, brings('second', 'tls')])
    seen.push([...listNames()])
    await kernel.reload([first, a, brings('third', 'quic')])
    seen.push([...listNames()])
    expect(seen).deep.equal([['tcp'], ['tcp', 'tls'], ['tcp', 'quic']])
    await failure(
      kernel.reload([
        a,
        extension('bad', () => {
          throw new Error('x')
        })()
      ]),
      'extension.setup-failed'
    )
    expect(listNames()).deep.equal(['tcp', 'quic'])
  })
})

describe('requires and provides', () => {
  it('count what is registered as provided, whatever the order', async () => {
    const needy = defineExtension({ name: 'needy', requires: ['transport:tcp', 'kind:tcp', 'own-word'], setup() {} })
    const word = defineExtension({ name: 'word', provides: ['own-word'], setup() {} })
    const tcp = extension('tcp', ({ registries }) => {
      registries.transports.add(transport('tcp'))
      registries.proxies.add(kind('tcp'))
    })
    const { kernel } = await provisioned([needy(), word(), tcp()])
    expect(kernel.inspect().extensions.map(({ provides }) => provides)).deep.equal([
      [],
      ['own-word'],
      ['transport:tcp', 'kind:tcp']
    ])
  })

  it('name everything that is missing, and what is provided', async () => {
    const a = defineExtension({ name: 'a', requires: ['transport:tls', 'muxer:yamux'], setup() {} })
    const b = defineExtension({ name: 'b', requires: ['authenticator:token', 'weather'], setup() {} })
    const error = await failure(provisioned([a(), b()]), 'extension.requires')
    expect(error.detail).equal(
      'a needs transport:tls; a needs muxer:yamux; b needs authenticator:token; b needs weather'
    )
    expect(error.hint).include('provided now: nothing')
  })

  it('may depend on the options', async () => {
    const a = defineExtension({
      name: 'a',
      options: Type.Object({ over: Type.String({ default: 'tcp' }) }),
      requires: ({ over }) => [`transport:${over}`],
      setup() {}
    })
    const error = await failure(provisioned([a({ over: 'tpc' }), brings('t', 'tcp')]), 'extension.requires')
    expect(error.detail).equal('a needs transport:tpc; did you mean "transport:tcp"?')
    await provisioned([a(), brings('t', 'tcp')])
  })

  it('know the package of each kind of thing', () => {
    expect(['kind:http', 'relay:splice', 'discovery:mdns', 'word', 'word:x', 'kind:'].map(packageFor)).deep.equal([
      '@rystra/proxy-http',
      '@rystra/relay-splice',
      '@rystra/discovery-mdns',
      undefined,
      undefined,
      undefined
    ])
  })
})

describe('suggestions', () => {
  it('are near, or are not made', () => {
    const words = ['tcp', 'tls', 'quic', 'http2']
    expect(nearest('qiuc', words)).equal('quic')
    expect(nearest('TCP', words)).equal('tcp')
    expect(nearest('http', words)).equal('http2')
    expect(nearest('websocket', words)).equal(undefined)
    expect(nearest('x'.repeat(100_000), words)).equal(undefined)
    expect(didYouMean('zzz', words)).equal('')
  })
})
