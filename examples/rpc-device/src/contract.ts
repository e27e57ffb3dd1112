import { Type } from '@rystra/plugin'
import { defineService, event, request, stream } from '@rystra/rpc'

/** The device as the server calls it. */
export const Device = defineService('device', {
  setLight: request(Type.Object({ on: Type.Boolean() }), Type.Object({ on: Type.Boolean() }), { idempotent: true }),
  readFile: stream(Type.Object({ path: Type.String() }), Type.Uint8Array())
})

/** What the device tells the server by itself. */
export const Telemetry = defineService('telemetry', {
  temperature: event(Type.Object({ celsius: Type.Number() }))
})
