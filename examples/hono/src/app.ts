import { Hono } from 'hono'

export const app = new Hono()

app.get('/', (context) => context.text('Hello from Hono'))
app.post('/echo', async (context) => context.json(await context.req.json()))
