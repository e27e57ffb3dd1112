import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { startDevice } from './device.js'
import { startServer } from './server.js'

const token = 'a-token-for-this-example'
const files = await mkdtemp(path.join(tmpdir(), 'rystra-device-'))
await writeFile(path.join(files, 'log.txt'), 'nothing happened\n')
const { server, temperatures, setLight, readFile } = await startServer(token)
const device = await startDevice({ id: 'lamp', port: server.listening[0]?.port ?? 0, token, files })
console.log(`light: ${await setLight('lamp', true)}`)
device.measure(21.5)
console.log(`log.txt: ${(await readFile('lamp', 'log.txt')).toString().trim()}`)
console.log(`temperature: ${temperatures.get('lamp')}`)
await device.stop()
await server.stop()
await rm(files, { recursive: true })
