/**
 * Reads what two ends tell, as a dashboard with its list of streams, a Prometheus and an OTLP receiver do. Forked by
 * peers/watching.ts; ends with its parent.
 */
import http from 'node:http'

const POLL_MS = 3000
const SCRAPE_MS = 1000

const get = (port, path, token) =>
  new Promise((resolve, reject) => {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
    const request = http.get({ host: '127.0.0.1', port, path, headers }, (response) => {
      let length = 0
      response.on('data', (chunk) => {
        length += chunk.length
      })
      response.on('end', () =>
        response.statusCode === 200 ? resolve(length) : reject(new Error(`${path}: ${response.statusCode}`))
      )
      response.on('error', reject)
    })
    request.on('error', reject)
  })

const failed = (error) => {
  console.error(error.message)
  process.exit(1)
}

const every = (ms, read) => {
  const next = () => read().then(() => setTimeout(next, ms), failed)
  next()
}

/** The stream of events with samples, and the lists that the page reads. */
const dashboard = ({ port, token }) => {
  const headers = { authorization: `Bearer ${token}` }
  http.get({ host: '127.0.0.1', port, path: '/v1/events?samples=true', headers }, (response) => {
    if (response.statusCode !== 200) failed(new Error(`events: ${response.statusCode}`))
    response
      .resume()
      .on('end', () => failed(new Error('events ended')))
      .on('error', failed)
  })
  every(POLL_MS, async () => {
    for (const path of ['/v1/status', '/v1/streams?limit=10000', '/v1/proxies?limit=10000'])
      await get(port, path, token)
  })
}

const start = async ({ dashboards = [], metrics = [], traces = false }) => {
  for (const one of dashboards) dashboard(one)
  for (const port of metrics) every(SCRAPE_MS, () => get(port, '/metrics'))
  if (!traces) return {}
  const receiver = http.createServer((request, response) => request.resume().on('end', () => response.end('{}')))
  await new Promise((resolve) => receiver.listen(0, '127.0.0.1', resolve))
  return { url: `http://127.0.0.1:${receiver.address().port}/v1/traces` }
}

process.on('message', ({ id, value }) => start(value).then((answer) => process.send({ id, value: answer }), failed))
process.once('disconnect', () => process.exit())
process.once('SIGTERM', () => process.exit())
