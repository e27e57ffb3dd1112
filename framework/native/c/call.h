/* The arguments of a call of JavaScript. */
#ifndef RYSTRA_CALL_H
#define RYSTRA_CALL_H

#include "socket.h"

#include <stddef.h>

enum { MAX_ARGUMENTS = 7 };

struct call {
  napi_env env;
  struct environment *at;
  napi_value arguments[MAX_ARGUMENTS];
  size_t count;
};

void call_begin(struct call *call, napi_env env, napi_callback_info info);
bool call_int(struct call *call, size_t index, int32_t *value);
bool call_buffer(struct call *call, size_t index, uint8_t **memory, size_t *size);
/* From `index` on: a buffer, and the first and the last byte behind of a part of it. */
bool call_part(struct call *call, size_t index, const uint8_t **memory, size_t *size);

#endif
