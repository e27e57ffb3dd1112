import type net from 'node:net'
import { TLSSocket } from 'node:tls'

/**
 * Every socket that is quiet reads into this one: what is read is copied or used up before the call returns. A read that
 * fills it shows a stream in full flow, and gets that socket a slab of its own.
 */
export const common = Buffer.allocUnsafeSlow(64 * 1024)

/** The same for TLS, which hands over one record at a time. */
const record = Buffer.allocUnsafeSlow(16 * 1024)

/** What a socket without a slab reads into. */
export const quietViewOf = (socket: net.Socket): Buffer => (socket instanceof TLSSocket ? record : common)
