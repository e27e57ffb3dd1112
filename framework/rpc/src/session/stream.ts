export interface RpcStream {
  readonly id: string
}
