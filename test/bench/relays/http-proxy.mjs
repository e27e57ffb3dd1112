/**
 * A plain reverse proxy, as one would write it with Node alone: `node:http` both ways, connections to the service kept, bodies piped,
 * fields about the connection left out, the visitor named to the service. No tunnel. Sends its port to the process that forked it.
 */
import http from 'node:http'

const [host, port] = process.argv.slice(2)

const hop = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade'
])

const passed = (raw) => {
  const fields = []
  for (let index = 0; index < raw.length; index += 2) {
    if (!hop.has(raw[index].toLowerCase())) fields.push(raw[index], raw[index + 1])
  }
  return fields
}

const agent = new http.Agent({ keepAlive: true, scheduling: 'lifo' })

const server = http.createServer({ keepAliveTimeout: 75_000 }, (request, response) => {
  const headers = passed(request.rawHeaders)
  headers.push('X-Forwarded-For', request.socket.remoteAddress, 'X-Forwarded-Proto', 'http')
  const upstream = http.request({ agent, host, port, method: request.method, path: request.url, headers })
  upstream.on('response', (answer) => {
    response.writeHead(answer.statusCode, answer.statusMessage, passed(answer.rawHeaders))
    answer.pipe(response)
  })
  upstream.on('error', () => {
    if (response.headersSent) response.destroy()
    else response.writeHead(502).end()
  })
  response.on('close', () => {
    if (!response.writableFinished) upstream.destroy()
  })
  const { 'content-length': length, 'transfer-encoding': coding } = request.headers
  if (coding !== undefined || (length !== undefined && length !== '0')) request.pipe(upstream)
  else upstream.end()
})

server.listen(0, '127.0.0.1', () => process.send(server.address().port))
process.once('disconnect', () => process.exit())
process.once('SIGTERM', () => process.exit())
