import { expect } from 'chai'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import net from 'node:net'

const root = new URL('../', import.meta.url)
const read = (name: string): string => readFileSync(new URL(name, root), 'utf8')

/** Instructions, with lines that go on joined; comments are left out. */
const instructions = read('Containerfile')
  .replaceAll(/^#.*\n/gm, '')
  .replaceAll(/\\\n\s*/g, '')
  .split('\n')
  .filter((line) => line !== '')
  .map((line) => line.split(/\s+(.*)/s) as [name: string, rest: string])
const of = (name: string): string[] => instructions.filter(([one]) => one === name).map(([, rest]) => rest)

describe('the Containerfile', () => {
  it('builds in one stage and runs in another, of images with a version', () => {
    const images = of('FROM')
    expect(images).to.have.length(2)
    expect(images[0]).to.match(/ AS build$/)
    for (const image of images) expect(image).to.match(/^[\w.]+\/[\w/]+:\d+[\w.-]*( AS build)?$/)
    expect(of('COPY').at(-1)).to.match(/^--from=build /)
  })

  it('runs as a user without rights, by number, and keeps its state in a volume of its own', () => {
    expect(of('USER')).to.deep.equal(['10001:10001'])
    const order = instructions.map(([name]) => name)
    expect(order.lastIndexOf('USER')).to.be.greaterThan(order.lastIndexOf('RUN'))
    expect(of('VOLUME')).to.deep.equal(['["/var/lib/rystra"]'])
    expect(of('ENV')[0]).to.include('RYSTRA_STATE=/var/lib/rystra')
  })

  it('starts without a shell, so that signals arrive', () => {
    for (const name of ['ENTRYPOINT', 'CMD']) {
      const [line = ''] = of(name)
      expect(JSON.parse(line), name).to.be.an('array')
    }
    const [, command = ''] = JSON.parse(of('ENTRYPOINT')[0] ?? '[]') as string[]
    expect(existsSync(new URL(command.replace('/opt/rystra/', ''), root)), command).to.equal(true)
  })

  it('has no secrets in it, and nothing of the outside', () => {
    expect(of('ADD')).to.deep.equal([])
    expect(of('ARG')).to.deep.equal([])
    expect(read('Containerfile')).not.to.match(/TOKEN|PASSWORD|SECRET/)
    expect(read('.containerignore').split('\n')).to.include.members(['.git', '**/node_modules', '**/.env'])
  })

  it('has a health check that says whether clients can connect', async () => {
    const [, list = ''] = /CMD (\[.*\])$/.exec(of('HEALTHCHECK')[0] ?? '') ?? []
    const [program, ...args] = JSON.parse(list) as string[]
    expect(program).to.equal('node')
    const server = net.createServer((socket) => socket.destroy())
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const { port } = server.address() as net.AddressInfo
    const check = async (): Promise<unknown> => {
      const child = spawn(process.execPath, args, { env: { RYSTRA_HEALTH_PORT: String(port) }, stdio: 'ignore' })
      const [code] = await once(child, 'exit')
      return code
    }
    expect(await check()).to.equal(0)
    server.close()
    await once(server, 'close')
    expect(await check()).to.equal(1)
  })
})
