import { expect } from 'chai'
import http from 'node:http'
import { gatedPorts, offsetPorts, SharedPorts } from '@rystra/net'
import { openSync } from 'node:fs'
import { addressOf, askTls, failureOf, fixture, join, own, serve, startMirror, startOwn } from './https-world.js'
import { startHttpService } from './http-world.js'
import { later, visitorPort } from './tunnel.js'

/** A socket of the process before that nothing here has a use for. */
const sockets = () => [{ fd: openSync('/dev/null', 'r'), host: '192.0.2.1', port: 1 }]

const before = ['known.example.org', '*.wild.example.org', 'db']

describe('a process that has taken over', () => {
  fixture()

  const startAnswer = async (status: number): Promise<number> =>
    (await startHttpService((_, response) => void response.writeHead(status).end())).port

  const statusOf = (port: number, host: string, path = '/'): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      http
        .get({ host: '127.0.0.1', port, path, headers: { host }, agent: false }, (response) => {
          response.resume()
          resolve(response.statusCode)
        })
        .on('error', reject)
    })

  it('has visitors of hosts wait that were published before, and answers those of others at once', async () => {
    const server = await serve({}, { sockets: sockets(), published: Promise.resolve(before) })
    const web = { name: 'first', kind: 'http', local: await startMirror(), host: 'first.example.org' }
    const client = await join(server, [web, own(await startOwn('own'))])
    const port = visitorPort(client, 'first')
    const answers: string[] = []
    const request = (host: string): Promise<void> =>
      statusOf(port, host).then((status) => void answers.push(`${host} ${status}`))
    const known = [request('known.example.org'), request('a.wild.example.org')]
    await request('other.example.org')
    expect(answers).to.deep.equal(['other.example.org 404'])
    const tlsPort = Number(addressOf(client, 'own').port)
    expect(await failureOf(askTls(tlsPort, 'other.example.org'))).to.match(/unrecognized name/)
    await client.publish({ ...web, name: 'back', host: ['known.example.org', '*.wild.example.org'] })
    await Promise.all(known)
    expect(answers.slice(1).sort()).to.deep.equal(['a.wild.example.org 200', 'known.example.org 200'])
  })

  it('has visitors wait for the host and the path that were theirs, though a wider one is back already', async () => {
    const published = Promise.resolve([
      'web.example.org',
      '*.example.org',
      'http web.example.org/api',
      'http web.example.org/',
      'http *.example.org/',
      'https a.own.example.org/',
      'https *.own.example.org/'
    ])
    const server = await serve({}, { sockets: sockets(), published })
    const wide = { name: 'wide', kind: 'http', local: await startMirror(), host: '*.example.org' }
    const client = await join(server, [wide, own(await startOwn('wide'), { host: '*.own.example.org' })])
    const port = visitorPort(client, 'wide')
    const answers: string[] = []
    const request = (path: string, host = 'web.example.org'): Promise<void> =>
      statusOf(port, host, path).then((status) => void answers.push(`${path} ${status}`))
    const waiting = [request('/api/x'), request('/page')]
    await request('/wide', 'any.example.org')
    expect(answers).to.deep.equal(['/wide 200'])
    await client.publish({ ...wide, name: 'page', host: 'web.example.org', local: await startAnswer(201) })
    await waiting[1]
    await client.publish({ ...wide, name: 'api', host: 'web.example.org', path: '/api', local: await startAnswer(202) })
    await waiting[0]
    expect(answers.slice(1)).to.deep.equal(['/page 201', '/api/x 202'])
    const tlsPort = Number(addressOf(client, 'own').port)
    const secure = askTls(tlsPort, 'a.own.example.org')
    expect((await askTls(tlsPort, 'b.own.example.org')).body).to.match(/^wide /)
    await client.publish(own(await startOwn('near'), { name: 'near', host: 'a.own.example.org' }))
    expect((await secure).body).to.match(/^near /)
  })

  it('tells so to those that listen through it, also by other interfaces', async () => {
    const make = (options: ConstructorParameters<typeof SharedPorts>[0]): SharedPorts => {
      const made = new SharedPorts(options)
      later(() => made.inherited.close())
      return made
    }
    const ports = make({ sockets: sockets(), published: Promise.resolve(before) })
    await new Promise((resolve) => setImmediate(resolve))
    for (const one of [ports, gatedPorts(ports).ports, offsetPorts(ports, 10)]) {
      expect(one.returning).to.equal(ports.returning).and.not.equal(undefined)
      const names = ['known.example.org', 'x.wild.example.org', 'wild.example.org', 'other.example.org', 'db', 'nodb']
      expect(names.filter((name) => one.awaits?.(name))).to.deep.equal([
        'known.example.org',
        'x.wild.example.org',
        'db'
      ])
    }
    const untold = make({ sockets: sockets() })
    expect(untold.awaits('other.example.org'), 'nothing is known of the process before').to.equal(true)
    expect(make({}).awaits('db'), 'no process before').to.equal(false)
  })
})
