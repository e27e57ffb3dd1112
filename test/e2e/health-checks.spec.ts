import { expect } from 'chai'
import { once } from 'node:events'
import http from 'node:http'
import net from 'node:net'
import type { ProxyEntry } from '@rystra/config'
import {
  ask,
  cleanUp,
  freePort,
  endOfVisit,
  later,
  portOf,
  readAll,
  startClient,
  startServer,
  startService,
  until,
  visit,
  visitorPort
} from './tunnel.js'
import { type Fields, member, times } from './group-world.js'

describe('a health check', () => {
  afterEach(cleanUp)

  const check = (fields: object): Fields => ({ healthCheck: { interval: 100, timeout: 100, failures: 2, ...fields } })

  it('takes a member out, also one whose check hangs, and brings it back', async () => {
    const server = await startServer()
    let mood: 'well' | 'ill' | 'silent' = 'well'
    const service = http.createServer((request, response) => {
      if (request.url !== '/health') response.end('one')
      else if (mood !== 'silent') response.writeHead(mood === 'well' ? 204 : 503).end()
    })
    service.listen(0, '127.0.0.1')
    await once(service, 'listening')
    later(() => service.close())
    later(() => service.closeAllConnections())
    const local = (service.address() as net.AddressInfo).port
    const one = await member(server, 'one', check({ type: 'http', path: '/health' }), local)
    await member(server, 'two')
    const port = visitorPort(one, 'web')
    const answerOf = async (): Promise<string> => {
      const socket = await visit(port)
      socket.end('GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n')
      return (await readAll(socket)).toString().split('\r\n').at(-1) ?? ''
    }
    const both = async (): Promise<void> => {
      for (;;) if (new Set(await times(4, answerOf)).size === 2) return
    }
    const onlyTwo = async (): Promise<void> => {
      for (;;) if ((await times(4, answerOf)).every((answer) => answer === 'two')) return
    }
    await both()
    mood = 'ill'
    await onlyTwo()
    mood = 'well'
    await both()
    mood = 'silent'
    await onlyTwo()
    mood = 'well'
    await both()
  })

  it('of a proxy without a group keeps visitors away from a service that is down', async () => {
    const server = await startServer()
    const dead = await freePort()
    const client = await startClient(portOf(server), [
      { name: 'x', kind: 'tcp', local: dead, ...check({}) } as ProxyEntry
    ])
    const port = visitorPort(client, 'x')
    expect(await endOfVisit(port)).to.equal('ECONNRESET')
    const service = net.createServer((socket) => socket.on('error', () => {}).end('up')).listen(dead, '127.0.0.1')
    later(() => service.close())
    for (;;) if ((await ask(port).catch(() => '')) === 'up') return
  })

  it('says who it is to a service that wants a PROXY header, and asks a service within the process', async () => {
    const server = await startServer()
    const heads: string[] = []
    const service = await startService((socket) => {
      socket.once('data', (head) => {
        heads.push(head.toString())
        socket.end('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n')
      })
    })
    const client = await startClient(portOf(server), [
      { name: 'x', kind: 'tcp', local: service, proxyProtocol: 'v1', ...check({ type: 'http' }) } as ProxyEntry
    ])
    await until(() => heads.length > 0)
    expect(heads[0]).to.match(/^PROXY UNKNOWN\r\n/)
    let requested = ''
    await client.expose({
      kind: 'tcp',
      name: 'y',
      ...check({ type: 'http', path: '/ready' }),
      handler: {
        fetch: (request) => {
          requested = request.url
          return new Response('yes')
        }
      }
    })
    await until(() => requested !== '')
    expect(requested).to.equal('http://localhost/ready')
    for (;;) {
      const socket = await visit(visitorPort(client, 'y')).catch(() => undefined)
      socket?.write('GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n')
      const answer = socket === undefined ? '' : await readAll(socket).catch(() => '')
      if (answer.toString().includes('yes')) return
    }
  })
})
