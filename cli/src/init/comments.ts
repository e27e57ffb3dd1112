import type { Plan } from './plan.js'

/** What a configuration says of its parts, the same in every format. */
export const commentsOf = ({ role }: Plan) => ({
  top: [
    'Rystra. All options: npx rystra check --schema, and npx rystra plugins:inspect',
    'Check it with: npx rystra check'
  ],
  extensions: [
    'Extensions, by package name or relative path (./hooks/mine.ts). Those of the preset are loaded without an entry;',
    'list one to set its options. Add others with: npx rystra plugins:add <name>'
  ],
  token: [
    role === 'server'
      ? 'Tokens of clients, with the identity each one has. The value is in .env, which git ignores.'
      : 'Token that the server accepts. The value is in .env, which git ignores.'
  ],
  listen: [
    'Addresses to bind for clients.',
    ...(role === 'both' ? ['127.0.0.1 accepts clients of this machine only; 0.0.0.0 accepts all.'] : [])
  ],
  publish: ['Ports that clients may publish on; visitors connect to them.'],
  connect: ['Server to dial.'],
  proxies: ['Services to publish: the address of each as this machine reaches it, and its public port at the server.']
})
