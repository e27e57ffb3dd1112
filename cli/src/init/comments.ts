import type { Plan } from './plan.js'

/** What a configuration says of its parts, the same in every format. */
export const commentsOf = ({ role }: Plan) => ({
  top: [
    'Rystra. Every option: npx rystra check --schema, and npx rystra plugins:inspect',
    'Check it with: npx rystra check'
  ],
  extensions: [
    'Extensions, by package name or relative path (./hooks/mine.ts). TCP, yamux, direct, tokens and TCP proxies are',
    'loaded by themselves; list one to give it options. Add others with: npx rystra plugins:add <name>'
  ],
  token: [
    role === 'server'
      ? 'The clients that may connect. The token is in .env, which git ignores.'
      : 'The same token as at the server. It is in .env, which git ignores.'
  ],
  listen: [
    'Where clients connect.',
    ...(role === 'both' ? ['127.0.0.1 is this machine alone; 0.0.0.0 lets others in.'] : [])
  ],
  publish: ['Where visitors connect: the ports that clients may ask for.'],
  connect: ['The server.'],
  proxies: ['What is published: a service that this machine reaches, and the public port at the server.']
})
