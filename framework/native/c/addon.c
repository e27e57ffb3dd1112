/* Batches of UDP datagrams, and links of yamux, on Node's own event loop: Node-API version 8, and uv_poll, whose ABI is stable in libuv 1. */
#define _GNU_SOURCE
#include "address.h"
#include "batch.h"
#include "connection-addon.h"
#include "socket.h"
#include "tls-addon.h"
#include "yamux-addon.h"

#include <stdlib.h>

/* Flags of what send returns. */
enum { SEGMENT_OFF = 1 << 16, FAILED = 1 << 17 };

static const napi_type_tag socket_tag = {0x72797374726175ULL, 0x6470736f636b6574ULL};

static struct socket *socket_of(napi_env env, napi_value value) {
  bool ours = false;
  void *data = NULL;
  if (napi_check_object_type_tag(env, value, &socket_tag, &ours) != napi_ok || !ours) return NULL;
  return napi_unwrap(env, value, &data) == napi_ok ? data : NULL;
}

static struct environment *environment_of(napi_env env) {
  void *data = NULL;
  napi_get_instance_data(env, &data);
  return data;
}

/* setup(memory, rows): what all sockets of the environment receive into. Once. */
static napi_value setup(napi_env env, napi_callback_info info) {
  struct environment *at = environment_of(env);
  napi_value arguments[2];
  size_t count = 2, size = 0;
  void *memory = NULL;
  napi_get_cb_info(env, info, &count, arguments, NULL, NULL);
  if (count < 2 || at->memory != NULL || napi_get_buffer_info(env, arguments[0], &memory, &size) != napi_ok ||
      size < (size_t)MAX_MESSAGES * MESSAGE_BYTES)
    return invalid(env);
  int32_t *rows = rows_of(env, arguments[1], MAX_MESSAGES * ROW_COLUMNS);
  if (rows == NULL) return invalid(env);
  napi_create_reference(env, arguments[0], 1, &at->memory_ref);
  napi_create_reference(env, arguments[1], 1, &at->rows_ref);
  at->memory = memory;
  at->rows = rows;
  return NULL;
}

static void finalize(napi_env env, void *data, void *hint) {
  (void)env;
  (void)hint;
  socket_unwrapped(data);
}

/* attach(descriptor, deliver, segment, coalesce): a socket, or -errno. The descriptor stays the caller's. */
static napi_value attach(napi_env env, napi_callback_info info) {
  struct environment *at = environment_of(env);
  napi_value arguments[4], object = NULL;
  napi_valuetype type = napi_undefined;
  size_t count = 4;
  int32_t descriptor = -1;
  int error = 0;
  bool segment = false, coalesce = false;
  napi_get_cb_info(env, info, &count, arguments, NULL, NULL);
  if (count < 4 || at->memory == NULL || napi_get_value_int32(env, arguments[0], &descriptor) != napi_ok ||
      napi_typeof(env, arguments[1], &type) != napi_ok || type != napi_function ||
      napi_get_value_bool(env, arguments[2], &segment) != napi_ok ||
      napi_get_value_bool(env, arguments[3], &coalesce) != napi_ok)
    return invalid(env);
  struct socket *socket = socket_open(at, descriptor, arguments[1], coalesce, &error);
  if (socket == NULL) return number(env, error);
  socket->segment = segment;
  napi_create_object(env, &object);
  napi_type_tag_object(env, object, &socket_tag);
  socket->wrapped = napi_wrap(env, object, socket, finalize, NULL, NULL) == napi_ok;
  return object;
}

/* send(socket, memory, rows, count): rows done with, and flags. */
static napi_value send_rows(napi_env env, napi_callback_info info) {
  napi_value arguments[4];
  size_t count = 4, size = 0;
  void *memory = NULL;
  int32_t rows = 0;
  napi_get_cb_info(env, info, &count, arguments, NULL, NULL);
  struct socket *socket = count < 4 ? NULL : socket_of(env, arguments[0]);
  if (socket == NULL || napi_get_buffer_info(env, arguments[1], &memory, &size) != napi_ok ||
      napi_get_value_int32(env, arguments[3], &rows) != napi_ok || rows < 0 || rows > MAX_ROWS)
    return invalid(env);
  int32_t *table = rows_of(env, arguments[2], (size_t)rows * ROW_COLUMNS);
  if (table == NULL && rows > 0) return invalid(env);
  if (socket->fd < 0) return number(env, rows);
  int failed = 0;
  int done = batch_send(socket->fd, &socket->segment, memory, size, table, rows, &failed);
  if (done < 0) return invalid(env);
  if (done < rows) socket_want_writable(socket);
  return number(env, done | (failed > 0 ? FAILED : 0) | (socket->segment ? 0 : SEGMENT_OFF));
}

static napi_value close_one(napi_env env, napi_callback_info info) {
  napi_value argument;
  size_t count = 1;
  napi_get_cb_info(env, info, &count, &argument, NULL, NULL);
  struct socket *socket = count < 1 ? NULL : socket_of(env, argument);
  if (socket == NULL) return invalid(env);
  socket_close(socket);
  return NULL;
}

/* A socket that is unreferenced does not keep the process. */
static napi_value unref(napi_env env, napi_callback_info info) {
  napi_value argument;
  size_t count = 1;
  napi_get_cb_info(env, info, &count, &argument, NULL, NULL);
  struct socket *socket = count < 1 ? NULL : socket_of(env, argument);
  if (socket == NULL) return invalid(env);
  if (!socket->closed) uv_unref((uv_handle_t *)&socket->poll);
  return NULL;
}

static void free_environment(napi_env env, void *data, void *hint) {
  (void)env;
  (void)hint;
  free(data);
}

NAPI_MODULE_INIT() {
  struct environment *at = calloc(1, sizeof *at);
  if (at == NULL) return NULL;
  at->env = env;
  napi_get_uv_event_loop(env, &at->loop);
  napi_add_async_cleanup_hook(env, environment_end, at, &at->hook);
  napi_set_instance_data(env, at, free_environment, NULL);
  const struct function functions[] = {
      {"setup", setup},
      {"attach", attach},
      {"send", send_rows},
      {"close", close_one},
      {"unref", unref},
      {"parse", address_parse},
      {"format", address_format},
  };
  define_functions(env, exports, functions, sizeof functions / sizeof *functions);
  yamux_functions(env, exports);
  connection_functions(env, exports);
  tls_functions(env, exports);
  return exports;
}
