import { expect } from 'chai'
import dgram from 'node:dgram'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { commands } from './fixtures/commands.js'

const { later, start } = commands()

const bound = async (): Promise<dgram.Socket> => {
  const socket = dgram.createSocket('udp4')
  later(() => socket.close())
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  return socket
}

describe('expose udp', () => {
  it('brings datagrams of visitors to a service, each as it was, and its answers to the visitor that sent them', async () => {
    const service = await bound()
    service.on('message', (message, { port, address }) => service.send(`for ${message}`, port, address))
    const { args } = await start(['serve', '--host', '127.0.0.1', '--port', '0', '--json']).event('join')
    const local = String((service.address() as AddressInfo).port)
    const exposed = await start(['expose', 'udp', local, '--json', ...(args as string[])]).event('published')
    expect(exposed).to.include({ kind: 'udp' })
    const [hostname, port] = String(exposed['address']).split(':')
    const ask = async (visitor: dgram.Socket, request: string): Promise<string> => {
      visitor.send(request, Number(port), hostname)
      const [answer] = (await once(visitor, 'message')) as [Buffer]
      return String(answer)
    }
    const [one, other] = [await bound(), await bound()]
    expect(await Promise.all([ask(one, 'one'), ask(other, 'another')])).to.deep.equal(['for one', 'for another'])
    expect(await ask(one, '')).to.equal('for ')
  })
})
