import fastify from 'fastify'

export const app = fastify()

app.get('/', () => 'Hello from Fastify')
app.post('/echo', (request) => request.body)

// What would happen in `listen`, but for the port.
await app.ready()
