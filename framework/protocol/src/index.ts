/** The control protocol without I/O: messages, codec, handshake, data links. SPEC.md says it byte by byte. */
export { ServerHandshake, type ServerRequest } from './server-handshake.js'
export { ClientHandshake, type ClientRequest, type Offer } from './client-handshake.js'
export { encode, streamReadyFrame } from './codec.js'
export { FrameDecoder } from './decoder.js'
export { answerForeignProtocol } from './foreign-protocol.js'
export { dataLinkOpening, ReplayWindow, verifyDataLink } from './data-link.js'
export { PUSH } from './features.js'
export {
  type EarlyFields,
  earlyFields,
  earlyOf,
  joinTicket,
  type ResumeTicket,
  splitTicket,
  verifyEarly
} from './early.js'
export {
  FIRST_FRAME_LIMIT,
  MAX_ALTERNATIVES,
  MAX_AUTH_ROUNDS,
  MAX_EARLY_DATA,
  MAX_ID,
  MAX_MILLISECONDS,
  MAX_PROOF,
  SESSION_FRAME_LIMIT,
  TICKET_SIZE
} from './limits.js'
export type {
  AuthOk,
  DataHello,
  EarlyAnswer,
  Fields,
  GoAway,
  Hello,
  HelloAck,
  Message,
  MessageName,
  MessageOf,
  Notice,
  OpenChannel,
  OpenStream,
  PushProxy,
  PushProxyAck,
  RegisterProxy,
  Visit
} from './messages.js'
export { AUTH_ROUNDS, choose, common } from './negotiation.js'
export { preface } from './preface.js'
export { errorField, errorFrame, errorFrom } from './wire-error.js'
