/** Moves bytes between sockets and streams: raw access, buffers, the pump. */
export * from './raw.js'
