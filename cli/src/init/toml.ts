import { commentsOf } from './comments.js'
import { listenHost, type Plan, publicPorts } from './plan.js'

/** The configuration in TOML. */
export const tomlConfig = (plan: Plan): string => {
  const { role, server, service, port } = plan
  const notes = commentsOf(plan)
  const note = (lines: readonly string[]): string => lines.map((line) => `# ${line}\n`).join('')
  const token =
    role === 'server' ? 'tokens = [{ identity = "home", token = "${RYSTRA_TOKEN}" }]' : 'token = "${RYSTRA_TOKEN}"'
  let text = `${note(notes.top)}
[log]
level = "info"
`
  if (role !== 'client') {
    text += `
${note(notes.listen)}[[server.listen]]
transport = "${server.transport}"
host = "${listenHost(plan)}"
port = ${server.port}

${note(notes.publish)}[server.publish]
host = "${listenHost(plan)}"
ports = ["${publicPorts}"]
`
  }
  if (role !== 'server') {
    text += `
${note(notes.connect)}[client.connect]
transport = "${server.transport}"
host = ${JSON.stringify(server.host)}
port = ${server.port}
muxer = "yamux"
${Object.entries(plan.fields)
  .map(([name, value]) => `${name} = ${JSON.stringify(value)}\n`)
  .join('')}
${note(notes.proxies)}[[client.proxies]]
name = "web"
kind = "tcp"
local = ${JSON.stringify(service)}
port = ${port}
`
  }
  return `${text}
${note(notes.extensions)}
${plan.packages.map((name) => `[[extensions]]\nuse = ${JSON.stringify(name)}\n\n`).join('')}${note(notes.token)}[[extensions]]
use = "@rystra/auth-token"
[extensions.options]
${token}
`
}
