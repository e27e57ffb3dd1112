import { type ProxyKind, RystraError } from '@rystra/plugin'
import { expect } from 'chai'
import fc from 'fast-check'
import proxyTcp from '../src/index.js'
import type { TcpSpec } from '../src/spec.js'

const kind = ((): ProxyKind<TcpSpec> => {
  const added: ProxyKind<TcpSpec>[] = []
  const registries = { proxies: { add: (it: ProxyKind<TcpSpec>) => added.push(it) } }
  proxyTcp.definition.setup({ registries } as never)
  return added[0] as ProxyKind<TcpSpec>
})()

const expand = (fields: Partial<TcpSpec>): TcpSpec[] =>
  (kind.expand as NonNullable<typeof kind.expand>)({ name: 'web', kind: 'tcp', local: 80, ...fields } as TcpSpec)

const refusal = (fields: Partial<TcpSpec>): RystraError => {
  try {
    const specs = expand(fields)
    throw new Error(`it became ${specs.length} proxies`)
  } catch (error) {
    if (!(error instanceof RystraError)) throw error
    return error
  }
}

describe('a tcp proxy', () => {
  it('is one proxy without a range', () => {
    for (const local of [80, '80', '127.0.0.1:80', '[::1]:80', 'nas.local:80', 'unix:/run/x.sock', 'unix:/tmp/x:1-9']) {
      const specs = expand({ local, port: 0 })
      expect(specs.length, String(local)).to.equal(1)
      expect(specs[0]?.local).to.equal(local)
    }
  })

  it('is one proxy for each port of a range', () => {
    expect(expand({ local: 'nas:8000-8002', port: '20000-20002', proxyProtocol: 'v2' })).to.deep.equal(
      [0, 1, 2].map((index) => ({
        name: `web:${20_000 + index}`,
        kind: 'tcp',
        local: `nas:${8000 + index}`,
        port: 20_000 + index,
        proxyProtocol: 'v2'
      }))
    )
    const free = expand({ local: '8000-8001' })
    expect(free.map(({ name, local, port }) => [name, local, port])).to.deep.equal([
      ['web:8000', 'localhost:8000', 0],
      ['web:8001', 'localhost:8001', 0]
    ])
    expect(expand({ local: '[::1]:5-6', port: 0 })[1]?.local).to.equal('[::1]:6')
    expect(expand({ local: '5-5', port: '7-7' }).length).to.equal(1)
    expect(expand({ local: '1-1000' }).length).to.equal(1000)
  })

  it('is refused with a range that is not valid, or that does not fit', () => {
    const cases: Partial<TcpSpec>[] = [
      { local: '9-5' },
      { local: '0-5' },
      { local: '65535-65536' },
      { local: '99999-99999' },
      { local: '1-1001' },
      { local: '1-65535', port: '1-65535' },
      { local: '80', port: '20000-20001' },
      { local: 'unix:/x', port: '20000-20001' },
      { local: '80-81', port: 80 },
      { local: '80-82', port: '20000-20001' },
      { local: '80-81', port: '20001-20000' },
      { local: '80-81', port: '0-1' },
      { local: '0' },
      { local: 'nas:65536' },
      { local: '80-81', name: 'n'.repeat(128) }
    ]
    for (const fields of cases) {
      expect(refusal(fields).code, JSON.stringify(fields)).to.equal('proxy.invalid')
    }
  })

  it('never becomes more proxies than the limit, nor anything but a refusal, whatever the range says', () => {
    fc.assert(
      fc.property(fc.nat(99_999), fc.nat(99_999), fc.option(fc.tuple(fc.nat(99_999), fc.nat(99_999))), (a, b, port) => {
        try {
          const specs = expand({ local: `${a}-${b}`, ...(port === null ? {} : { port: port.join('-') }) })
          expect(specs.length).to.be.within(1, 1000)
          for (const { local } of specs) expect(Number(String(local).split(':')[1])).to.be.within(1, 65535)
        } catch (error) {
          if (!(error instanceof RystraError) || error.code !== 'proxy.invalid') throw error
        }
      })
    )
  })

  it('has a schema that takes what can be reached, and nothing else', () => {
    const [text] = (kind.spec.properties.local as { anyOf: { pattern: string }[] }).anyOf
    const pattern = new RegExp(text?.pattern as string)
    for (const local of [
      '80',
      'h:80',
      '[::1]:80',
      '[fe80::1%eth0]:80',
      'unix:/run/a b.sock',
      '80-90',
      'h.example:1-2'
    ]) {
      expect(pattern.test(local), local).to.equal(true)
    }
    for (const local of [
      '',
      'h',
      'h:',
      ':80',
      'h:80:90',
      '::1:80',
      'unix:',
      'http://h:80',
      'h:-1',
      'h:1e3',
      'h:80 ',
      '80-',
      '[]:1'
    ]) {
      expect(pattern.test(local), local).to.equal(false)
    }
  })

  it('is never published on another port than it requested', async () => {
    const requested: unknown[] = []
    const host = {
      listen: (address: unknown) => {
        requested.push(address)
        return Promise.resolve({ host: '::', port: 4711 })
      }
    }
    const publish = (fields: Partial<TcpSpec>) =>
      kind.publish({ name: 'web', kind: 'tcp', ...fields } as TcpSpec, host as never)
    expect((await publish({ port: 4711 })).address).to.equal('[::]:4711')
    await publish({})
    await publish({ port: 0, host: '127.0.0.1' })
    expect(requested).to.deep.equal([{ port: 4711 }, { port: 0 }, { port: 0, host: '127.0.0.1' }])
    const error = await publish({ port: '5-6' }).catch((thrown: unknown) => thrown)
    expect((error as RystraError).code).to.equal('proxy.invalid')
    expect(requested.length).to.equal(3)
  })

  it('leaves its visitors to be relayed', async () => {
    const handlers: unknown[] = []
    const listen = (_address: unknown, ...rest: unknown[]) => {
      handlers.push(...rest)
      return Promise.resolve({ host: '192.0.2.1', port: 1 })
    }
    await kind.publish({ name: 'web', kind: 'tcp' } as TcpSpec, { listen } as never)
    expect(handlers).to.deep.equal([])
  })

  it('reaches its service, and lets a failure through', async () => {
    const calls: unknown[] = []
    const host = {
      relayTo: (local: string) => {
        calls.push(local)
        return local === '81' ? Promise.reject(new RystraError('stream.service-unreachable')) : Promise.resolve()
      }
    }
    await kind.reach({ name: 'web', kind: 'tcp', local: 80 } as TcpSpec, host as never)
    expect(calls).to.deep.equal(['80'])
    const error = await kind
      .reach({ name: 'web', kind: 'tcp', local: 81 } as TcpSpec, host as never)
      .catch((thrown: unknown) => thrown)
    expect((error as RystraError).code).to.equal('stream.service-unreachable')
  })
})
