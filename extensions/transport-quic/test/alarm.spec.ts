import { until } from '@rystra/testkit'
import { expect } from 'chai'
import dgram from 'node:dgram'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { Alarm } from '../src/alarm.js'

describe('an alarm', () => {
  let rung = 0
  let alarm: Alarm
  beforeEach(() => {
    rung = 0
    alarm = new Alarm(() => {
      rung++
    })
  })
  afterEach(() => alarm.stop())

  it('rings once, at the time it was set to last', async () => {
    const begin = performance.now()
    alarm.in(1)
    alarm.in(30)
    await until(() => rung > 0)
    expect(performance.now() - begin).to.be.at.least(29)
    alarm.in(5)
    alarm.in(null)
    // It is set by the clock of the system: this is three times what it was set to.
    await new Promise((resolve) => setTimeout(resolve, 15))
    expect(rung).to.equal(1)
  })

  it('is not due while packets wait that would put it off, however many, after the process was held up', async () => {
    const socket = dgram.createSocket('udp4')
    socket.bind(0, '127.0.0.1')
    await once(socket, 'listening')
    const { port } = socket.address() as AddressInfo
    let read = 0
    socket.on('message', () => {
      read++
      if (read === 100) alarm.in(60_000)
    })
    alarm.in(20)
    for (let count = 0; count < 100; count++) socket.send('x', port, '127.0.0.1')
    const begin = performance.now()
    // Nothing else runs, as on a machine that is suspended or has too much to do.
    while (performance.now() - begin < 150);
    await until(() => read === 100)
    for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setImmediate(resolve))
    expect(rung).to.equal(0)
    socket.close()
  })
})
