/* Functions of the addon for links of yamux. */
#ifndef RYSTRA_YAMUX_ADDON_H
#define RYSTRA_YAMUX_ADDON_H

#define NAPI_VERSION 8
#include <node_api.h>

void yamux_functions(napi_env env, napi_value exports);

#endif
