import type { Field } from '../field.js'
import type { DatagramDirection, DatagramTask, PacedTask, Passed } from '../load/datagrams.js'
import { directDatagrams } from '../peers/direct.js'
import { frpDatagrams } from '../peers/frp.js'
import { nodeRelay } from '../peers/node.js'
import { rystraDatagrams } from '../peers/rystra.js'
import { cpuSeconds } from '../usage.js'

/** Datagrams on their way at a time. More would overflow what a kernel keeps for a socket. */
const WINDOW = 64

/** Datagrams a second each way at which losses are counted: 48 Mbit/s of 1,200 bytes. */
const PACE = 5000

/** Datagrams to a UDP service. */
export const packets: Field = {
  name: 'packets',
  measures: ['packets'],
  baseline: directDatagrams,
  own: rystraDatagrams,
  others: [nodeRelay, frpDatagrams],
  open: (load) => load.datagrams.call<number>('listen'),
  async ready(address, { port }, load) {
    const task: DatagramTask = { address, port, direction: 'trip', size: 64, milliseconds: 1, window: 1 }
    await load.datagrams.call('flow', task)
  },
  async once({ load, way, options, keep, attempt }) {
    const { route, port } = way
    const { address, pids } = route
    const flow = (direction: DatagramDirection, size: number): Promise<Passed> => {
      const task: DatagramTask = { address, port, direction, size, milliseconds: options.window, window: WINDOW }
      return load.datagrams.call('flow', task)
    }
    const costs: number[] = []
    for (const size of [64, 1200] as const) {
      for (const direction of ['up', 'down'] as const) {
        await attempt(`${direction}, ${size} bytes`, async () => {
          const before = cpuSeconds(pids)
          const { perSecond, count } = await flow(direction, size)
          if (perSecond === 0) throw new Error('none came')
          keep(`${direction}${size}`, perSecond)
          costs.push(((cpuSeconds(pids) - before) / count) * 1e6)
        })
      }
    }
    if (pids.length > 0) keep('datagramCpu', costs.reduce((sum, cost) => sum + cost, 0) / costs.length)
    await attempt('there and back', async () => keep('trip512', (await flow('trip', 512)).perSecond))
    await attempt('at a pace', async () => {
      const task: PacedTask = { address, port, size: 1200, milliseconds: options.window, perSecond: PACE }
      keep('lost', (await load.datagrams.call<Passed>('paced', task)).lost * 100)
    })
  }
}
