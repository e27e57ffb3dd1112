import { commentsOf } from './comments.js'
import { listenHost, type Plan, publicPorts } from './plan.js'

/** The two ways to write the same text: keys in quotes and double quotes, or neither. */
interface Style {
  readonly key: (name: string) => string
  readonly text: (value: string) => string
}

const body = (plan: Plan, { key, text }: Style): string => {
  const { role, server, packages, service, port } = plan
  const notes = commentsOf(plan)
  const note = (lines: readonly string[], indent: string): string =>
    lines.map((line) => `${indent}// ${line}\n`).join('')
  const fields = (values: Record<string, string>): string =>
    `{ ${Object.entries(values)
      .map(([name, value]) => `${key(name)}: ${value}`)
      .join(', ')} }`
  const texts = (values: Readonly<Record<string, string>>): Record<string, string> =>
    Object.fromEntries(Object.entries(values).map(([name, value]) => [name, text(value)]))
  const secret = text('${RYSTRA_TOKEN}')
  const token =
    role === 'server'
      ? fields({ tokens: `[${fields({ identity: text('home'), token: secret })}]` })
      : fields({ token: secret })
  const address = { transport: text(server.transport), host: text(listenHost(plan)), port: String(server.port) }
  const parts = [
    `${note(notes.extensions, '  ')}  ${key('extensions')}: [
${packages.map((name) => `    ${text(name)},\n`).join('')}${note(notes.token, '    ')}    ${fields({ use: text('@rystra/auth-token'), options: token })}
  ]`,
    `  ${key('log')}: ${fields({ level: text('info') })}`
  ]
  if (role !== 'client') {
    parts.push(`  ${key('server')}: {
${note(notes.listen, '    ')}    ${key('listen')}: [${fields(address)}],
${note(notes.publish, '    ')}    ${key('publish')}: ${fields({ host: text(listenHost(plan)), ports: `[${text(publicPorts)}]` })}
  }`)
  }
  if (role !== 'server') {
    const connect = { ...address, host: text(server.host), muxer: text('yamux'), ...texts(plan.fields) }
    const proxy = { name: text('web'), kind: text('tcp'), local: text(service), port: String(port) }
    parts.push(`  ${key('client')}: {
${note(notes.connect, '    ')}    ${key('connect')}: ${fields(connect)},
${note(notes.proxies, '    ')}    ${key('proxies')}: [
      ${fields(proxy)}
    ]
  }`)
  }
  return `{\n${parts.join(',\n')}\n}`
}

const top = (plan: Plan): string =>
  commentsOf(plan)
    .top.map((line) => `// ${line}\n`)
    .join('')

/** The configuration in JSON, with comments: Rystra reads them. */
export const jsonConfig = (plan: Plan): string =>
  `${top(plan)}${body(plan, { key: (name) => JSON.stringify(name), text: (value) => JSON.stringify(value) })}\n`

/** The configuration in TypeScript. */
export const tsConfig = (plan: Plan): string =>
  `${top(plan)}import { defineConfig } from 'rystra'\n\nexport default defineConfig(${body(plan, {
    key: (name) => name,
    text: (value) => `'${value.replaceAll(/['\\]/g, '\\$&')}'`
  })})\n`
