import Call from './call.js'
import CertCa from './cert/ca.js'
import CertClient from './cert/client.js'
import CertCluster from './cert/cluster.js'
import CertRevoke from './cert/revoke.js'
import CertServer from './cert/server.js'
import CertShow from './cert/show.js'
import Check from './check.js'
import Clients from './clients.js'
import Completion from './completion.js'
import Connect from './connect.js'
import Doctor from './doctor.js'
import Drain from './drain.js'
import Expose from './expose.js'
import ExtensionCreate from './extension/create.js'
import Import from './import.js'
import Init from './init.js'
import Inspect from './inspect.js'
import Kick from './kick.js'
import LogLevel from './log-level.js'
import Logs from './logs.js'
import Plan from './plan.js'
import PluginsAdd from './plugins/add.js'
import PluginsInspect from './plugins/inspect.js'
import PluginsList from './plugins/list.js'
import PluginsRemove from './plugins/remove.js'
import Proxies from './proxies/index.js'
import ProxiesAdd from './proxies/add.js'
import ProxiesRemove from './proxies/remove.js'
import Reload from './reload.js'
import RpcDescribe from './rpc/describe.js'
import Serve from './serve.js'
import ServiceInstall from './service/install.js'
import ServiceStatus from './service/status.js'
import ServiceUninstall from './service/uninstall.js'
import Status from './status.js'
import Top from './top.js'
import Upgrade from './upgrade.js'
import Visit from './visit.js'
import Why from './why.js'

/** Every command, by its name. They import what they work with only when they run. */
export default {
  call: Call,
  'cert:ca': CertCa,
  'cert:client': CertClient,
  'cert:cluster': CertCluster,
  'cert:revoke': CertRevoke,
  'cert:server': CertServer,
  'cert:show': CertShow,
  check: Check,
  clients: Clients,
  completion: Completion,
  connect: Connect,
  doctor: Doctor,
  drain: Drain,
  expose: Expose,
  'extension:create': ExtensionCreate,
  import: Import,
  init: Init,
  inspect: Inspect,
  kick: Kick,
  'log-level': LogLevel,
  logs: Logs,
  plan: Plan,
  'plugins:add': PluginsAdd,
  'plugins:inspect': PluginsInspect,
  'plugins:list': PluginsList,
  'plugins:remove': PluginsRemove,
  proxies: Proxies,
  'proxies:add': ProxiesAdd,
  'proxies:remove': ProxiesRemove,
  reload: Reload,
  'rpc:describe': RpcDescribe,
  serve: Serve,
  'service:install': ServiceInstall,
  'service:status': ServiceStatus,
  'service:uninstall': ServiceUninstall,
  status: Status,
  top: Top,
  upgrade: Upgrade,
  visit: Visit,
  why: Why
}
