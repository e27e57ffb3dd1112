#define _GNU_SOURCE
#include "call.h"

void call_begin(struct call *call, napi_env env, napi_callback_info info) {
  void *data = NULL;
  call->env = env;
  call->count = MAX_ARGUMENTS;
  napi_get_cb_info(env, info, &call->count, call->arguments, NULL, NULL);
  napi_get_instance_data(env, &data);
  call->at = data;
}

bool call_int(struct call *call, size_t index, int32_t *value) {
  return call->count > index && napi_get_value_int32(call->env, call->arguments[index], value) == napi_ok;
}

bool call_buffer(struct call *call, size_t index, uint8_t **memory, size_t *size) {
  void *data = NULL;
  bool is = false;
  if (call->count <= index || napi_is_buffer(call->env, call->arguments[index], &is) != napi_ok || !is) return false;
  if (napi_get_buffer_info(call->env, call->arguments[index], &data, size) != napi_ok) return false;
  *memory = data;
  return true;
}

bool call_part(struct call *call, size_t index, const uint8_t **memory, size_t *size) {
  uint8_t *data = NULL;
  size_t whole = 0;
  int32_t from = 0, to = 0;
  if (!call_buffer(call, index, &data, &whole) || !call_int(call, index + 1, &from) || !call_int(call, index + 2, &to) ||
      from < 0 || to < from || (size_t)to > whole)
    return false;
  *memory = data + from;
  *size = (size_t)(to - from);
  return true;
}
