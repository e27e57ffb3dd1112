/**
 * Header fields about one connection, RFC 9110 section 7.6.1, and those that frame a message; lower case. Passing them on,
 * or changing them, enables request smuggling: a proxy writes its own.
 */
export const hopByHopHeaders: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'expect',
  'http2-settings',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade'
])
