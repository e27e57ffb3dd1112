/** The script of the page: looks whether everything arrived, and offers what the driver asks for. */
import { sum } from '/modules/0.js'

const { expected } = window
const check = (condition, what) => {
  if (!condition) throw new Error(what)
}
const hex = (buffer) => [...new Uint8Array(buffer)].map((byte) => byte.toString(16).padStart(2, '0')).join('')
const sha256 = async (bytes) => hex(await crypto.subtle.digest('SHA-256', bytes))
const numbers = (count) => Array.from({ length: count }, (_, index) => index)
const random = (length) => {
  const bytes = new Uint8Array(length)
  for (let at = 0; at < length; at += 65_536) crypto.getRandomValues(bytes.subarray(at, Math.min(length, at + 65_536)))
  return bytes
}

/** All that the page loads by itself, and what is fetched. */
const everything = async () => {
  if (document.readyState !== 'complete') await new Promise((resolve) => window.addEventListener('load', resolve))
  check(sum === (expected.modules * (expected.modules - 1)) / 2, `modules: ${sum}`)
  const style = getComputedStyle(document.documentElement)
  for (const index of numbers(expected.styles))
    check(style.getPropertyValue(`--style-${index}`).trim() === `"${index}"`, `style ${index}`)
  const images = [...document.images]
  for (const image of images)
    check(image.naturalWidth === Number(image.dataset.side), `${image.src} is ${image.naturalWidth} wide`)
  await document.fonts.ready
  const fonts = [...document.fonts].filter(({ status }) => status === 'loaded')
  check(fonts.length === expected.fonts, `${fonts.length} fonts`)
  await Promise.all(
    numbers(expected.records).map(async (index) => {
      const { payload, digest } = await (await fetch(`/records/${index}.json`)).json()
      check((await sha256(new TextEncoder().encode(payload))) === digest, `record ${index}`)
    })
  )
  const upload = random(3_000_000)
  const answer = await fetch('/upload', { method: 'POST', body: upload })
  check((await answer.text()) === (await sha256(upload)), 'the upload')
  const events = await new Promise((resolve) => {
    const seen = []
    const source = new EventSource('/events')
    source.onmessage = ({ data }) => {
      seen.push(data)
      if (seen.length < 50) return
      source.close()
      resolve(seen)
    }
  })
  check(
    events.every((data, index) => data === `event ${index}`),
    'events'
  )
  const gone = await fetch('/records/0.json', { cache: 'no-cache' })
  check(gone.ok, 'asked again')
  return { images: images.length, fonts: fonts.length, loaded: performance.getEntriesByType('resource').length }
}

const message = (socket) => new Promise((resolve) => socket.addEventListener('message', resolve, { once: true }))

/** 1,000 messages there and back, 1,000 of the service's own, and 1 MiB of bytes. */
const webSocket = async () => {
  const socket = new WebSocket('/socket')
  socket.binaryType = 'arraybuffer'
  await new Promise((resolve, reject) => {
    socket.onopen = resolve
    socket.onerror = () => reject(new Error('the WebSocket does not open'))
  })
  const texts = numbers(1000).map((index) => `message ${index} ${'ü'.repeat(index % 300)}`)
  const seen = []
  const all = new Promise((resolve) => {
    socket.onmessage = ({ data }) => {
      seen.push(data)
      if (seen.length === texts.length) resolve()
    }
  })
  for (const text of texts) socket.send(text)
  await all
  check(
    seen.every((text, index) => text === texts[index]),
    'an echo is another'
  )
  const back = new Promise((resolve) => {
    socket.onmessage = ({ data }) => {
      if (data === 'all back') resolve()
      else socket.send(`re ${data}`)
    }
  })
  socket.send('start 1000')
  await back
  socket.onmessage = null
  const bytes = random(1_048_576)
  const echo = message(socket)
  socket.send(bytes)
  check((await sha256((await echo).data)) === (await sha256(bytes)), 'the bytes are others')
  const closed = new Promise((resolve) => socket.addEventListener('close', resolve, { once: true }))
  socket.close(1000, 'done')
  const { code, wasClean } = await closed
  check(wasClean && code === 1000, `closed with ${code}`)
  return seen.length
}

/** SHA-256 of each 10 MB of the download, read as a stream. */
const streamed = async () => {
  const response = await fetch('/download')
  const reader = response.body.getReader()
  const buffer = new Uint8Array(10_000_000)
  const digests = []
  let filled = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) break
    for (let at = 0; at < value.length; ) {
      const some = value.subarray(at, at + buffer.length - filled)
      buffer.set(some, filled)
      filled += some.length
      at += some.length
      if (filled < buffer.length) continue
      digests.push(await sha256(buffer))
      filled = 0
    }
  }
  if (filled > 0) digests.push(await sha256(buffer.subarray(0, filled)))
  return digests
}

window.app = { everything, webSocket, streamed }
