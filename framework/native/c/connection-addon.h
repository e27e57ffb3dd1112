/* Functions of the addon for connections. */
#ifndef RYSTRA_CONNECTION_ADDON_H
#define RYSTRA_CONNECTION_ADDON_H

#define NAPI_VERSION 8
#include <node_api.h>

void connection_functions(napi_env env, napi_value exports);

#endif
