import { expect } from 'chai'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { startDevice } from '../src/device.js'
import { startServer } from '../src/server.js'

describe('a device behind NAT', () => {
  it('takes commands, sends telemetry, and gives the files of its folder alone', async () => {
    const files = await mkdtemp(path.join(tmpdir(), 'rystra-device-'))
    await writeFile(path.join(files, 'log.bin'), Buffer.alloc(1_000_000, 'x'))
    const token = 'a-token-of-the-test'
    const { server, temperatures, setLight, readFile } = await startServer(token)
    const device = await startDevice({ id: 'lamp', port: server.listening[0]?.port ?? 0, token, files })
    try {
      expect(await setLight('lamp', true)).to.equal(true)
      expect(device.light()).to.equal(true)
      device.measure(21.5)
      expect((await readFile('lamp', 'log.bin')).length).to.equal(1_000_000)
      expect(temperatures.get('lamp')).to.equal(21.5)
      const error = await readFile('lamp', '../secret').catch((cause: { code: string }) => cause)
      expect(error).to.have.property('code', 'device.no-file')
    } finally {
      await device.stop()
      await server.stop()
      await rm(files, { recursive: true })
    }
  })
})
