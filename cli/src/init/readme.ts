import { formatServer } from '../address.js'
import type { Plan } from './plan.js'

/** The README of a new project: what it is, and the next two commands. */
export const readmeOf = (plan: Plan, name: string, config: string): string => {
  const { role, server, service, port } = plan
  const blocks = {
    server: `Start the server, then reach a service from another machine:

\`\`\`sh
npx rystra serve
npx rystra expose tcp 3000 --to ${server.transport}://<this machine>:${server.port} --token <RYSTRA_TOKEN of .env>
\`\`\``,
    client: `Check the configuration, then connect to ${formatServer(server)} and publish ${service} on its port ${port}:

\`\`\`sh
npx rystra check
npx rystra connect
\`\`\`

The server has to know the token in \`.env\`.`,
    both: `Start the server, and in a second terminal the client:

\`\`\`sh
npx rystra serve
npx rystra connect
\`\`\`

Whatever listens on ${service} is then reachable on 127.0.0.1:${port}.`
  }
  return `# ${name}

A tunnel made with Rystra. The configuration is \`${config}\`; the token is in \`.env\` and stays out of git.

Install once:

\`\`\`sh
npm install
\`\`\`

${blocks[role]}

More: \`npx rystra check\` tells what is wrong with the configuration, \`npx rystra plugins:add <name>\` adds an extension,
\`npx rystra --help\` lists everything.
`
}
