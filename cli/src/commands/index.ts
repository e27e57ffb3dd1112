import Check from './check.js'
import Init from './init.js'
import PluginsAdd from './plugins/add.js'
import PluginsInspect from './plugins/inspect.js'
import PluginsList from './plugins/list.js'
import PluginsRemove from './plugins/remove.js'

/** Every command, by its name. They import what they work with only when they run. */
export default {
  check: Check,
  init: Init,
  'plugins:add': PluginsAdd,
  'plugins:inspect': PluginsInspect,
  'plugins:list': PluginsList,
  'plugins:remove': PluginsRemove
}
