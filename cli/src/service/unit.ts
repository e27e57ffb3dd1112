import { RystraError } from '@rystra/model'

/** What a unit runs. */
export interface UnitPlan {
  /** Name of the unit, without `.service`. */
  readonly name: string
  readonly role: 'serve' | 'connect'
  /** Absolute path of Node. */
  readonly node: string
  /** Absolute path of the command. */
  readonly command: string
  /** Absolute path of the configuration. */
  readonly config: string
  /** Folder of the configuration. */
  readonly dir: string
  /** User that it runs as. @default a user that systemd makes (DynamicUser) */
  readonly user?: string | undefined
  /** Whether it binds ports below 1024. */
  readonly lowPorts: boolean
  /** For the user's own systemd (`systemctl --user`): no other user, fewer protections. */
  readonly own: boolean
}

/** A word of an Exec line. `%` and `$` are special to systemd. */
const word = (text: string): string => {
  if (/[\0\n\r]/.test(text))
    throw new RystraError('usage.invalid', { detail: `the path ${JSON.stringify(text)} has a line break` })
  const escaped = text.replaceAll('%', '%%').replaceAll('$', () => '$$')
  return /^[\w./:@=+,%$-]+$/.test(escaped) ? escaped : `"${escaped.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`
}

/** A path in a setting that takes one: not split at spaces, `%` alone is special. */
const pathOf = (text: string): string => text.replaceAll('%', '%%')

const hardening = ({ lowPorts, own }: UnitPlan): string[] => [
  'NoNewPrivileges=yes',
  'RestrictSUIDSGID=yes',
  'LockPersonality=yes',
  'RestrictRealtime=yes',
  'RestrictNamespaces=yes',
  'RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK',
  'SystemCallArchitectures=native',
  'SystemCallFilter=@system-service',
  'SystemCallErrorNumber=EPERM',
  'UMask=0077',
  ...(own
    ? []
    : [
        'ProtectSystem=strict',
        'ProtectHome=read-only',
        'PrivateTmp=yes',
        'PrivateDevices=yes',
        'ProtectKernelTunables=yes',
        'ProtectKernelModules=yes',
        'ProtectKernelLogs=yes',
        'ProtectControlGroups=yes',
        'ProtectClock=yes',
        'ProtectHostname=yes',
        lowPorts ? 'AmbientCapabilities=CAP_NET_BIND_SERVICE' : 'AmbientCapabilities=',
        lowPorts ? 'CapabilityBoundingSet=CAP_NET_BIND_SERVICE' : 'CapabilityBoundingSet='
      ])
]

/** The unit file. */
export const renderUnit = (plan: UnitPlan): string => {
  const { name, role, node, command, config, dir, user, own } = plan
  const lines = [
    '[Unit]',
    `Description=Rystra ${role === 'serve' ? 'server' : 'client'}`,
    'Wants=network-online.target',
    'After=network-online.target',
    '# A configuration that is not valid does not get better by trying again at once.',
    'StartLimitIntervalSec=300',
    'StartLimitBurst=10',
    '',
    '[Service]',
    'Type=notify',
    '# systemd-notify, which the command runs, is another process of the unit.',
    'NotifyAccess=all',
    `ExecStart=${[node, command, role, '--config', config].map(word).join(' ')}`,
    'ExecReload=/bin/kill -HUP $MAINPID',
    `WorkingDirectory=${pathOf(dir)}`,
    ...(own ? [] : user === undefined ? ['DynamicUser=yes'] : [`User=${user}`]),
    `StateDirectory=${name}`,
    'StateDirectoryMode=0700',
    `Environment=RYSTRA_STATE=%S/${name}`,
    'Environment=NODE_ENV=production',
    'Restart=always',
    'RestartSec=2',
    '# Arguments or configuration are wrong, or an extension is missing: another start does not help.',
    'RestartPreventExitStatus=2 3',
    'WatchdogSec=60',
    '# Longer than `drain` of the configuration.',
    'TimeoutStopSec=90',
    'LimitNOFILE=1048576',
    ...hardening(plan),
    '',
    '[Install]',
    `WantedBy=${own ? 'default.target' : 'multi-user.target'}`
  ]
  return `${lines.join('\n')}\n`
}
