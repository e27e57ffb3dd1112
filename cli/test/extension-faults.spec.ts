import { expect } from 'chai'
import { Running } from './command.js'
import { Folders } from './folder.js'

const project = `extensions:
  - use: '@rystra/auth-token'
    options: { token: a-token-of-the-test }
  - ./hooks/faulty.ts
server:
  listen: [{ host: 127.0.0.1, port: 0 }]
  publish: { host: 127.0.0.1 }
log: { pretty: false }
`

/** An extension with a fault on line 5. */
const faulty = (fault: string): string => `import { defineExtension } from '@rystra/plugin'
export default defineExtension({
  name: 'faulty',
  setup: () => ({ start: () => {
    setTimeout(() => { ${fault} })
  } })
})
`

describe('an extension that throws where nothing catches it', () => {
  const folders = new Folders()
  after(() => folders.clean())

  const faults = {
    'in a timer': ["throw new Error('of a timer')", 'an extension threw in a timer or an event handler of its own'],
    'in a promise': [
      "void Promise.reject(new Error('of a promise'))",
      'an extension left a promise rejected that nothing awaits'
    ]
  } as const
  for (const [where, [fault, message]] of Object.entries(faults)) {
    it(`${where} is logged by name, file and line, and the server goes on`, async () => {
      const cwd = folders.make({ 'rystra.config.yaml': project, 'hooks/faulty.ts': faulty(fault) })
      const server = new Running(['serve', '--json'], { cwd })
      await server.event('listening')
      const line = await server.errorLine(/"extension":"faulty"/)
      const { code, err } = await server.signal('SIGTERM')
      const { msg, at } = JSON.parse(line) as { msg?: string; at?: string }
      expect({ msg, code }, err).to.deep.equal({ msg: message, code: 0 })
      expect(at).to.match(/hooks\/faulty\.ts:5:\d+$/)
    })
  }
})
