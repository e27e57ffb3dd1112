import { commentsOf } from './comments.js'
import { listenHost, type Plan, publicPorts } from './plan.js'

/** The configuration in YAML. */
export const yamlConfig = (plan: Plan): string => {
  const { role, server, fields, packages, service, port } = plan
  const more = Object.entries(fields)
    .map(([name, value]) => `, ${name}: '${value}'`)
    .join('')
  const notes = commentsOf(plan)
  const note = (lines: readonly string[], indent = ''): string => lines.map((line) => `${indent}# ${line}\n`).join('')
  const token =
    role === 'server' ? "{ tokens: [{ identity: home, token: '${RYSTRA_TOKEN}' }] }" : "{ token: '${RYSTRA_TOKEN}' }"
  let text = `${note(notes.top)}
${note(notes.extensions)}extensions:
${packages.map((name) => `  - '${name}'\n`).join('')}${note(notes.token, '  ')}  - use: '@rystra/auth-token'
    options: ${token}

log:
  level: info
`
  if (role !== 'client') {
    text += `
server:
${note(notes.listen, '  ')}  listen:
    - { transport: ${server.transport}, host: ${listenHost(plan)}, port: ${server.port} }
${note(notes.publish, '  ')}  publish: { host: ${listenHost(plan)}, ports: ['${publicPorts}'] }
`
  }
  if (role !== 'server') {
    text += `
client:
${note(notes.connect, '  ')}  connect: { transport: ${server.transport}, host: '${server.host}', port: ${server.port}, muxer: yamux${more} }
${note(notes.proxies, '  ')}  proxies:
    - { name: web, kind: tcp, local: '${service}', port: ${port} }
`
  }
  return text
}
