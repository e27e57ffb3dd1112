import Call from './call.js'
import CertCa from './cert/ca.js'
import CertClient from './cert/client.js'
import CertRevoke from './cert/revoke.js'
import CertServer from './cert/server.js'
import CertShow from './cert/show.js'
import Check from './check.js'
import Connect from './connect.js'
import Expose from './expose.js'
import ExtensionCreate from './extension/create.js'
import Import from './import.js'
import Init from './init.js'
import PluginsAdd from './plugins/add.js'
import PluginsInspect from './plugins/inspect.js'
import PluginsList from './plugins/list.js'
import PluginsRemove from './plugins/remove.js'
import RpcDescribe from './rpc/describe.js'
import Serve from './serve.js'
import Visit from './visit.js'

/** Every command, by its name. They import what they work with only when they run. */
export default {
  call: Call,
  'cert:ca': CertCa,
  'cert:client': CertClient,
  'cert:revoke': CertRevoke,
  'cert:server': CertServer,
  'cert:show': CertShow,
  check: Check,
  connect: Connect,
  expose: Expose,
  'extension:create': ExtensionCreate,
  import: Import,
  init: Init,
  'plugins:add': PluginsAdd,
  'plugins:inspect': PluginsInspect,
  'plugins:list': PluginsList,
  'plugins:remove': PluginsRemove,
  'rpc:describe': RpcDescribe,
  serve: Serve,
  visit: Visit
}
