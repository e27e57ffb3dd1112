#ifndef RYSTRA_TLS_ADDON_H
#define RYSTRA_TLS_ADDON_H

#include "socket.h"

/* Adds the functions of links over TLS to `exports`. */
void tls_functions(napi_env env, napi_value exports);

#endif
