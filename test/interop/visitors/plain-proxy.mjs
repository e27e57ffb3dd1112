/** A reverse proxy in a few lines of Node, without a tunnel: what one hop through Node costs. Its arguments: where, and to where. */
import http from 'node:http'

const [port, service] = process.argv.slice(2).map(Number)
const agent = new http.Agent({ keepAlive: true })

http
  .createServer((request, response) => {
    const { method, url: path, headers } = request
    const forward = http.request({ host: '127.0.0.1', port: service, method, path, headers, agent }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers)
      answer.pipe(response)
    })
    forward.on('error', () => response.destroy())
    request.pipe(forward)
  })
  .listen(port, '127.0.0.1', 2048)
