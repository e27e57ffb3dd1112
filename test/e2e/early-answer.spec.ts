import { expect } from 'chai'
import net from 'node:net'
import { cleanUp, portOf, startClient, startServer, startService, visitorPort } from './tunnel.js'

const VISITORS = 40

/** What a visitor gets who sends without an end, and reads. */
const upload = (port: number): Promise<string> =>
  new Promise((resolve) => {
    const socket = net.connect({ host: '127.0.0.1', port })
    const piece = Buffer.alloc(64 * 1024)
    let got = ''
    socket.on('data', (bytes) => (got += bytes.toString()))
    const send = (error?: Error | null): void => {
      if (!error && socket.writable) socket.write(piece, send)
    }
    socket.on('connect', () => send())
    socket.on('error', () => {})
    socket.on('close', () => resolve(got))
  })

describe('an answer right in front of a reset', () => {
  afterEach(cleanUp)

  for (const muxer of ['yamux', 'direct']) {
    it(`reaches visitors that still send as it does without a tunnel (${muxer})`, async () => {
      const local = await startService((socket) => {
        socket.once('data', () => {
          socket.pause()
          socket.write('413', () => socket.destroy())
        })
      })
      const server = await startServer()
      const client = await startClient(portOf(server), [{ name: 'x', kind: 'tcp', local }], { muxer })
      const port = visitorPort(client, 'x')
      const count = async (at: number): Promise<number> => {
        let answered = 0
        for (let visitor = 0; visitor < VISITORS; visitor += 1) if ((await upload(at)) === '413') answered += 1
        return answered
      }
      const without = await count(local)
      const through = await count(port)
      // The visitor itself may write first and lose it: with a tunnel and without.
      expect(through, `of ${VISITORS}, ${without} without a tunnel`).to.be.at.least(Math.min(without, VISITORS) - 4)
    })
  }
})
