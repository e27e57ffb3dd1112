const text = 'This port speaks the Rystra protocol, not HTTP.\n'

const refusal = [
  'HTTP/1.1 400 Bad Request',
  'Content-Type: text/plain; charset=utf-8',
  `Content-Length: ${text.length}`,
  'Cache-Control: no-store',
  'Connection: close',
  '',
  ''
].join('\r\n')

/** The beginning of the request line, RFC 9112 section 3, of whatever version; HTTP/2 begins like one too. */
const request = /^[A-Z][A-Z-]{1,15} (?:\/|\*|https?:\/\/|[^\s/]+:\d+ HTTP\/)/

/** A fatal alert, unexpected_message: RFC 8446 section 6, in a record that every version of TLS reads. */
const alert = Uint8Array.of(0x15, 0x03, 0x01, 0x00, 0x02, 0x02, 0x0a)

/**
 * The answer to a peer that begins with these bytes and does not speak Rystra, before the server closes: status 400 for
 * HTTP, an alert for TLS, nothing for other protocols.
 */
export const answerForeignProtocol = (head: Uint8Array): Uint8Array | undefined => {
  if (head[0] === 0x16 && head[1] === 0x03) return new Uint8Array(alert)
  const line = Buffer.from(head.buffer, head.byteOffset, Math.min(head.length, 256)).toString('latin1')
  if (!request.test(line)) return undefined
  return Buffer.from(line.startsWith('HEAD ') ? refusal : refusal + text)
}

const printable = /^[\x20-\x7e]{1,60}/

/** What something that is no Rystra server seems to be, by its first bytes: `detail` and `hint` of an error. */
export const describeForeignProtocol = (head: Uint8Array): { readonly detail?: string; readonly hint?: string } => {
  // An alert, or a handshake: the answer of a TLS server to bytes of another protocol.
  if ((head[0] === 0x15 || head[0] === 0x16) && head[1] === 0x03) {
    return { detail: 'it speaks TLS', hint: 'use a transport with TLS there: tls, wss or http2' }
  }
  const [line] =
    printable.exec(Buffer.from(head.buffer, head.byteOffset, Math.min(head.length, 60)).toString('latin1')) ?? []
  if (line?.startsWith('HTTP/') === true) {
    return {
      detail: `an HTTP server answered: ${line}`,
      hint: 'check host and port; to go through a web server, use the transport ws or wss'
    }
  }
  return line === undefined || line.length < 4 ? {} : { detail: `it said: ${line}` }
}
