import express from 'express'
import http from 'node:http'

const app = express()

app.use(express.json())
app.get('/', (_request, response) => void response.send('Hello from Express'))
app.post('/echo', (request, response) => void response.json(request.body))

/** Does not listen: the tunnel brings it its connections. */
export const server = http.createServer(app)
