import { tcpFields } from '@rystra/net'
import { type Static, Type } from '@rystra/plugin'

export const TcpOptions = Type.Object(tcpFields)
export type TcpOptions = Static<typeof TcpOptions>
