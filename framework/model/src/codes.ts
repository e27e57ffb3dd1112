/** What an error ends: one stream, one session, or the process. */
export type ErrorScope = 'stream' | 'session' | 'process'

/** One row of the table below. */
export interface ErrorEntry {
  /** What happened, in words for a person; the thrower appends details. */
  readonly message: string
  readonly scope: ErrorScope
  /** Whether the same thing may succeed later without a change. */
  readonly retryable: boolean
  /** What `rystra` exits with when this ends the process. See docs/reference/errors.md. */
  readonly exitCode: number
  /** What to do next. */
  readonly hint: string
}

const row = (message: string, scope: ErrorScope, retryable: boolean, exitCode: number, hint: string): ErrorEntry => ({
  message,
  scope,
  retryable,
  exitCode,
  hint
})

/**
 * Every error code there is. Codes are stable: programs may compare them, and they cross the wire.
 * Exit codes: 1 unexpected, 2 configuration or usage, 3 extension, 4 the other side cannot be reached,
 * 5 not authenticated, 6 a proxy was refused, 7 replaced by another client, 8 an address cannot be listened on.
 */
// biome-ignore format: one code, one line
export const errorTable = {
  'config.not-found': row('no configuration found', 'process', false, 2, 'run `rystra init`, or name a file with --config'),
  'config.syntax': row('the configuration cannot be read', 'process', false, 2, 'correct the file at the position named'),
  'config.invalid': row('the configuration is not valid', 'process', false, 2, 'change the value named to what is expected; `rystra check` shows all at once'),
  'config.missing-variable': row('an environment variable is not set', 'process', false, 2, 'set it, put it into .env, or write ${NAME:-default}'),
  'usage.invalid': row('invalid arguments of the command', 'process', false, 2, 'see --help of the command'),
  'file.failed': row('a file or folder cannot be read or written', 'process', true, 1, 'check the path, its permissions, and the free space on the disk'),

  'extension.not-found': row('an extension cannot be found', 'process', false, 3, 'check its name or path, and install it'),
  'extension.not-an-extension': row('a package is not a Rystra extension', 'process', false, 3, 'its default export must come from defineExtension()'),
  'extension.incompatible': row('an extension needs another version of the kernel', 'process', false, 3, 'install a version made for this kernel'),
  'extension.load-failed': row('an extension failed to load', 'process', false, 3, 'see the cause: the extension itself failed'),
  'extension.options': row("an extension's options are not valid", 'process', false, 2, 'change the option named to what is expected'),
  'extension.requires': row('a required extension is missing', 'process', false, 3, 'add the package named'),
  'extension.duplicate': row('two extensions have the same name or provide the same thing', 'process', false, 3, 'remove one of them, or give one another name'),
  'extension.setup-failed': row("an extension's setup failed", 'process', false, 3, 'correct the extension at the place that is named'),
  'extension.start-failed': row('an extension could not start', 'process', false, 3, 'see the cause'),
  'extension.too-late': row('an extension tapped or registered after its set-up', 'process', false, 3, 'move the call into setup()'),
  'extension.async-tap': row('an async function was given to a synchronous tap', 'process', false, 3, 'use tapPromise, or make the function synchronous'),
  'extension.state': row('an extension cannot read or write its state', 'process', true, 3, 'check the free space on the disk and the permissions of the folder named'),
  'extension.add-failed': row('the extension was not added, and nothing was changed', 'process', false, 3, 'see the cause'),
  'kernel.state': row('the kernel cannot do this now', 'process', false, 1, 'provision, start, reload and stop in this order; see the detail'),
  'registry.unknown': row('nothing is registered under this name', 'process', false, 3, 'check the spelling, or add the extension that registers it'),
  'registry.duplicate': row('this name is registered already', 'process', false, 3, 'remove one of the two extensions'),
  'hook.failed': row('a tap failed', 'stream', false, 1, 'see the log of the side named for the extension and its error'),
  'hook.timeout': row('a tap did not answer in time', 'stream', true, 1, 'see the log of the side named for the extension'),

  'protocol.not-rystra': row('the other side does not speak the Rystra protocol', 'session', false, 4, 'check host, port and transport'),
  'protocol.version': row('the two ends speak different versions of the protocol', 'session', false, 4, 'update the older end'),
  'protocol.malformed': row('malformed message', 'session', false, 4, 'update both ends; if that does not help, report it'),
  'protocol.too-large': row('a message is larger than allowed', 'session', false, 4, 'send smaller messages'),
  'protocol.unexpected': row('unexpected message', 'session', false, 4, 'update both ends; if that does not help, report it'),
  'protocol.timeout': row('the other side did not answer in time', 'session', true, 4, 'check that the other side runs, and the network to it'),

  'auth.refused': row('authentication was refused', 'session', false, 5, 'check the token or certificate of this side; the log of the server has the reason'),
  'auth.no-method': row('the two ends have no authentication method in common', 'session', false, 5, 'configure the same authenticator on both ends'),
  'auth.server-unproven': row('the server could not prove that it knows the secret', 'session', false, 5, 'check the host: the connection may be intercepted'),

  'connect.unreachable': row('the server cannot be reached', 'session', true, 4, 'check host, port, firewall, and that the server runs'),
  'connect.refused': row('the server, or something in front of it, refused the connection', 'session', false, 4, 'check transport, host, port and path'),
  'connect.proxy': row('the outgoing proxy could not connect to the server', 'session', true, 4, 'check `proxy`, HTTPS_PROXY, and that the proxy allows connections to the server'),
  'connect.proxy-auth': row('the outgoing proxy rejected the credentials', 'session', false, 4, 'write them as `proxy: http://user:password@host:port`'),

  'tls.not-tls': row('the other side does not speak TLS on this port', 'session', false, 4, 'check port and transport; a plain port needs the transport tcp or ws'),
  'tls.handshake': row('the TLS handshake failed', 'session', false, 4, 'see the detail; TLS 1.3 is needed on both ends unless minVersion says 1.2'),
  'tls.untrusted': row('the certificate of the other side is not trusted', 'session', false, 5, 'set `ca` to its authority, or pin it: set `fingerprint` to the value that `rystra serve` prints'),
  'tls.wrong-fingerprint': row('the certificate of the other side is not the pinned one', 'session', false, 5, 'the connection may be intercepted; if the server has a new certificate, pin its fingerprint'),
  'tls.wrong-host': row('the certificate of the other side is for another host', 'session', false, 5, 'check the host, or set `serverName` to a name of the certificate'),
  'tls.unknown-name': row('no proxy and no certificate for this host', 'stream', false, 6, 'publish it with a proxy of kind https, or add a certificate for it and publish it with kind http'),
  'tls.expired': row('the certificate of the other side is expired or not valid yet', 'session', true, 5, 'check the clock of this machine, then renew the certificate'),
  'tls.revoked': row('the certificate of the other side was revoked', 'session', false, 5, 'issue a new certificate'),
  'tls.terminated': row('the TLS connection ends between the client and the server', 'session', false, 5, 'the connection may be intercepted; behind a reverse proxy or CDN set `tlsTerminated: true` in client.connect'),
  'tls.certificate-required': row('the server requires a certificate of the client', 'session', false, 5, 'set `cert` and `key`; `rystra cert:client` creates them'),
  'tls.files': row('the certificate or key cannot be used', 'process', false, 2, 'check the files named; `rystra cert:show` prints their content'),
  'cert.exists': row('a file of this name exists already', 'process', false, 2, 'choose another name, or overwrite it with --force'),
  'cert.invalid': row('invalid certificate options', 'process', false, 2, 'change the value named'),
  'transport.unsupported': row('a transport cannot work on this machine', 'process', false, 3, 'use another transport'),

  'session.refused': row('the server refused the session', 'session', false, 5, 'see the reason'),
  'session.lost': row('the session was lost', 'session', true, 4, 'none needed: the client dials again'),
  'session.timeout': row('no message from the other side within the timeout', 'session', true, 4, 'none needed: the client dials again'),
  'session.replaced': row('another client took over under the same id', 'session', false, 7, 'give each client its own client.id'),
  'session.closing': row('the other side is shutting down', 'session', true, 4, 'none needed: the client dials again'),
  'session.duplicate': row('this client has a session with that server already', 'session', true, 4, 'name a further server in client.connect, or set client.redundancy to the number of servers'),
  'session.not-resumed': row('the server takes no early data of this client', 'stream', true, 4, 'none needed: they are sent again when the session is up'),
  'session.limit': row('session limit reached', 'session', true, 4, 'try again later, or raise server.limits.sessions or the rule of hook-rate for this address'),

  'listen.in-use': row('the address is in use', 'process', true, 8, 'stop the program that holds it, or choose another port'),
  'listen.denied': row('no permission to listen on the address', 'process', false, 8, 'choose a port from 1024 up, or run with the permission to bind it'),
  'listen.unavailable': row('the address does not exist on this machine', 'process', false, 8, 'check the host'),
  'listen.failed': row('the address cannot be listened on', 'process', true, 8, 'see the cause'),

  'proxy.invalid': row('the proxy is not valid', 'stream', false, 2, 'change the value named to what is expected'),
  'proxy.unknown-kind': row('the kind of proxy is not registered', 'stream', false, 6, 'add the extension for this kind on the side named'),
  'proxy.name-taken': row('a proxy of this name exists already', 'stream', true, 6, 'choose another name'),
  'proxy.port-taken': row('the port is not available', 'stream', true, 6, 'choose another port, or leave it out to get a free one; it is taken, or not for this client: the log of the server has the reason'),
  'proxy.port-not-allowed': row('the port is not in server.publish.ports', 'stream', false, 6, 'choose a port from the ranges of server.publish.ports'),
  'proxy.port-privileged': row('the server has no permission to bind ports below 1024', 'stream', false, 6, 'choose a port from 1024 up, or give the server the permission'),
  'proxy.no-free-port': row('no port is free', 'stream', true, 6, 'widen server.publish.ports'),
  'proxy.claimed': row('the host or name is not available', 'stream', true, 6, 'choose another host, path or name; it is taken, or not for this client: the log of the server has the reason'),
  'proxy.refused': row('the proxy was refused', 'stream', false, 6, 'see the reason'),
  'proxy.limit': row('proxy limit reached', 'stream', false, 6, 'publish fewer proxies, or raise server.limits.proxiesPerSession'),
  'proxy.changed': row('the proxy must be registered again', 'stream', true, 6, 'none needed: the client registers it again'),
  'proxy.expired': row('the proxy has expired', 'stream', false, 6, 'register it again'),

  'proxy.not-accepted': row('the client does not accept this proxy from its server', 'stream', false, 6, 'add it to `client.accept` at the client'),

  'control.unavailable': row('this end cannot do that', 'stream', false, 6, 'make the change in a configuration, and start or reload the process with it'),
  'control.conflict': row('the configuration has changed meanwhile', 'stream', true, 6, 'read it again, and repeat the change'),
  'control.busy': row('another operation on this process is in progress', 'stream', true, 6, 'wait until it is done, then try again'),
  'control.upgrade-failed': row('the process that was to take over did not start; this one serves on', 'stream', true, 6, 'correct what it reports, and upgrade again'),
  'control.not-found': row('no session, stream or proxy has this id', 'stream', false, 6, 'list them again: it may be gone'),

  'stream.refused': row('the stream was refused', 'stream', false, 6, 'see the reason'),
  'stream.service-unreachable': row('the service cannot be reached', 'stream', true, 6, 'check that the service runs where `local` points to'),
  'stream.reset': row('the stream was reset', 'stream', true, 1, 'the other end reset it'),
  'stream.timeout': row('the stream was not ready in time', 'stream', true, 1, 'check the service and the network'),
  'stream.limit': row('stream limit reached', 'stream', true, 6, 'close some, or raise the limit'),
  'stream.no-member': row('no member of the group is available', 'stream', true, 6, 'see the health checks of the services'),
  'stream.idle': row('no data within idleTimeout', 'stream', true, 1, 'raise `idleTimeout` of the proxy'),
  'stream.no-visits': row('no private proxy has this name, or this client may not visit it', 'stream', false, 6, 'check `of`, `secret` and the list `allow` of the proxy'),
  'stream.unknown-proxy': row('the client has no proxy for this stream', 'stream', false, 6, 'register the proxy again'),

  'channel.unknown': row('no handler for this channel', 'stream', false, 6, 'add the extension that handles it on the side named'),
  'channel.refused': row('the channel was refused', 'stream', false, 6, 'see the reason'),
  'channel.limit': row('channel limit reached', 'stream', true, 6, 'close some, or raise the limit'),

  'rpc.unknown': row('no handler for this name', 'stream', false, 6, 'check the name, and that the peer has the service'),
  'rpc.invalid': row('the data does not fit its type', 'stream', false, 2, 'change the value at the path named'),
  'rpc.handler': row('the handler failed', 'stream', false, 1, 'see the log of the peer'),
  'rpc.denied': row('the call is not allowed', 'stream', false, 6, 'add a rule that allows it'),
  'rpc.busy': row('call limit of the peer reached', 'stream', true, 6, 'try again after the time named, or raise the limit'),
  'rpc.deadline': row('the deadline of the call has passed', 'stream', true, 1, 'raise the deadline, or check what the handler waits for'),
  'rpc.cancelled': row('the call was cancelled', 'stream', false, 1, 'its caller cancelled it'),
  'rpc.lost': row('the session was lost while the call was in flight', 'stream', true, 4, 'call again, or declare the call idempotent'),
  'rpc.closing': row('the peer is closing and accepts no new calls', 'stream', true, 4, 'call again: the client dials again'),
  'rpc.unavailable': row('the peer has no RPC session', 'stream', true, 6, 'check that the peer is connected and has RPC enabled'),
  'rpc.too-large': row('the message is larger than allowed', 'stream', false, 2, 'send it as a stream, or raise maxMessageBytes'),
  'rpc.protocol': row('protocol violation of the peer (RPC frames)', 'session', false, 4, 'update both ends; report it if that does not help'),
  'rpc.early': row('the call is not allowed in early data', 'stream', true, 6, 'declare it replaySafe at both ends; it is made again when the session is up'),
  'rpc.reset': row('the stream was reset', 'stream', true, 1, 'the peer reset it; see the detail'),

  'discovery.invalid': row('invalid options of the discovery', 'process', false, 2, 'change the value named to what is expected'),
  'discovery.unavailable': row('discovery does not work on this network', 'session', true, 4, 'see the cause; allow multicast, or name the server with `connect.host`'),
  'discovery.not-found': row('no server announces this name', 'session', true, 4, 'check that the server runs and announces this name on the same network'),

  'cluster.unavailable': row('the directory of the cluster does not answer', 'stream', true, 4, 'none needed: what is published goes on, and the request is repeated; check the engine of the directory if it lasts'),
  'cluster.name-taken': row('another server of the cluster has this name', 'process', true, 3, 'give each server its own server.cluster.name; after a crash the name is free when its lease has expired'),
  'cluster.refused': row('a server of the cluster refused this one', 'session', true, 5, 'check server.cluster of both: name of the cluster, authority, and a certificate of `rystra cert:cluster` for each'),
  'cluster.not-here': row('the server asked does not have the session any more', 'stream', true, 1, 'none needed: the directory reports the new place of the client within moments'),
  'cluster.loop': row('a stream was to be forwarded more than once', 'stream', false, 1, 'update the servers of the cluster to one version; if that does not help, report it'),
  'cluster.fenced': row('this server has lost its lease in the cluster', 'stream', true, 6, 'none needed: the client registers again'),

  'admin.unauthorized': row('the admin API needs a valid token', 'stream', false, 5, 'send `Authorization: Bearer <token>` with one of the tokens of admin-http; commands take --token or RYSTRA_ADMIN_TOKEN'),
  'admin.forbidden': row('the admin API refuses this request', 'stream', false, 5, 'see the detail'),
  'admin.invalid': row('invalid request to the admin API', 'stream', false, 2, 'see the detail, and /v1/openapi.json for what is expected'),
  'admin.not-found': row('the admin API has nothing at this path', 'stream', false, 2, 'see /v1/openapi.json for what there is'),
  'admin.busy': row('limit of the admin API reached', 'stream', true, 6, 'try again later'),
  'admin.not-running': row('no running rystra found', 'process', true, 4, 'start one with `rystra serve` or `rystra connect`, run the command in its folder, or name another with --admin'),
  'admin.failed': row('the admin API cannot be used', 'process', true, 4, 'check the address of --admin, and that a rystra with admin-http listens there'),

  'mux.protocol': row('protocol violation of the other side (muxer)', 'session', true, 4, 'check that both ends use the same muxer'),
  'mux.closed': row('the link is closed', 'session', true, 4, 'none needed: the client dials again'),

  internal: row('internal error', 'process', false, 1, 'report it with the log at level debug')
} as const satisfies Record<string, ErrorEntry>

/** Codes of extensions, for authors who want them checked: `interface ExtensionErrors { 'office-hours.closed': true }`. */
// biome-ignore lint/suspicious/noEmptyInterface: extensions add to it by declaration merging
export interface ExtensionErrors {}

/** The name of an error: of this table, or of an extension. */
export type ErrorCode = keyof typeof errorTable | keyof ExtensionErrors

/** Whether a string, from the wire for example, is an error code. */
export const isErrorCode = (code: string): code is keyof typeof errorTable => Object.hasOwn(errorTable, code)
