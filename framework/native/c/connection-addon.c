/* What JavaScript calls. */
#define _GNU_SOURCE
#include "connection-addon.h"
#include "address.h"
#include "batch.h"
#include "call.h"
#include "connection.h"
#include "name.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct connection *any_in(struct call *call) {
  int32_t value = -1;
  return call->at->engine == NULL || !call_int(call, 0, &value) ? NULL : connection_at(call->at->engine, value);
}

static struct connection *connection_in(struct call *call) {
  struct connection *connection = any_in(call);
  return connection == NULL || connection->parked ? NULL : connection;
}

/* connectionMemory(memory): what connections are read into. Once, behind yamuxSetup. */
static napi_value memory(napi_env env, napi_callback_info info) {
  struct call call;
  uint8_t *data = NULL;
  size_t size = 0;
  call_begin(&call, env, info);
  struct engine *engine = call.at->engine;
  if (engine == NULL || engine->reads != NULL || !call_buffer(&call, 0, &data, &size) || size < CONNECTION_MEMORY ||
      size > INT32_MAX)
    return invalid(env);
  napi_create_reference(env, call.arguments[0], 1, &engine->reads_ref);
  engine->reads = data;
  engine->reads_bytes = size;
  return NULL;
}

static int dial(const union name *name, socklen_t size) {
  const int on = 1, fd = socket(name->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (connect(fd, &name->any, size) == 0 || errno == EINPROGRESS) return fd;
  const int error = errno;
  close(fd);
  return -error;
}

/* connectionDial(row): a number, or -errno. EVENT_CONNECTION_OPEN or EVENT_CONNECTION_CLOSED follows. */
static napi_value open_connection(napi_env env, napi_callback_info info) {
  struct call call;
  union name name;
  int error = 0;
  call_begin(&call, env, info);
  struct engine *engine = call.at->engine;
  const int32_t *row = call.count < 1 ? NULL : rows_of(env, call.arguments[0], ROW_COLUMNS);
  if (engine == NULL || engine->reads == NULL || row == NULL || (row[ROW_FAMILY] != 4 && row[ROW_FAMILY] != 6) ||
      row[ROW_PORT] < 0 || row[ROW_PORT] > 65535)
    return invalid(env);
  const int fd = engine->closed ? -ECANCELED : dial(&name, name_of(row, &name));
  if (fd < 0) return number(env, fd);
  const struct connection *connection = connection_open(engine, fd, true, &error);
  return number(env, connection == NULL ? error : connection->number);
}

/* connectionAdopt(descriptor, rows, most): takes a copy of the descriptor of a connected socket. A number, or -errno, which is
   -EMFILE for a copy that would be above `most`, too; the rows become the addresses of the peer and of this end. */
static napi_value adopt(napi_env env, napi_callback_info info) {
  struct call call;
  union name name;
  socklen_t size = sizeof name;
  int32_t descriptor = -1, most = -1;
  int error = 0;
  call_begin(&call, env, info);
  struct engine *engine = call.at->engine;
  int32_t *rows = call.count < 2 ? NULL : rows_of(env, call.arguments[1], 2 * ROW_COLUMNS);
  if (engine == NULL || engine->reads == NULL || rows == NULL || !call_int(&call, 0, &descriptor) ||
      !call_int(&call, 2, &most))
    return invalid(env);
  memset(rows, 0, 2 * ROW_COLUMNS * sizeof *rows);
  if (getpeername(descriptor, &name.any, &size) != 0) return number(env, -errno);
  name_read(&name, rows);
  size = sizeof name;
  if (getsockname(descriptor, &name.any, &size) != 0) return number(env, -errno);
  name_read(&name, rows + ROW_COLUMNS);
  const int fd = fcntl(descriptor, F_DUPFD_CLOEXEC, 3);
  if (fd < 0) return number(env, -errno);
  if (fd > most) {
    close(fd);
    return number(env, -EMFILE);
  }
  const struct connection *connection = connection_open(engine, fd, false, &error);
  return number(env, connection == NULL ? error : connection->number);
}

/* connectionRead(connection, on): 1 to read, 0 to pause. */
static napi_value read_on(napi_env env, napi_callback_info info) {
  struct call call;
  int32_t on = 0;
  call_begin(&call, env, info);
  struct connection *connection = connection_in(&call);
  if (connection == NULL || !call_int(&call, 1, &on)) return NULL;
  connection_read(connection, on != 0);
  engine_settle(call.at->engine);
  return NULL;
}

/* connectionWrite(connection, memory, start, end): whether all is sent; otherwise the rest is copied, and
   EVENT_CONNECTION_WRITABLE follows. */
static napi_value write_connection(napi_env env, napi_callback_info info) {
  struct call call;
  const uint8_t *data = NULL;
  size_t size = 0;
  napi_value result;
  call_begin(&call, env, info);
  struct connection *connection = connection_in(&call);
  if (!call_part(&call, 1, &data, &size)) return invalid(env);
  const bool sent = connection == NULL || connection_write(connection, data, size);
  if (connection != NULL) engine_settle(call.at->engine);
  napi_get_boolean(env, sent, &result);
  return result;
}

/* connectionEnd(connection): ends it behind what was written. */
static napi_value end_connection(napi_env env, napi_callback_info info) {
  struct call call;
  call_begin(&call, env, info);
  struct connection *connection = connection_in(&call);
  if (connection == NULL) return NULL;
  connection_end(connection);
  engine_settle(call.at->engine);
  return NULL;
}

/* connectionClose(connection): resets it. Nothing is reported any more. */
static napi_value close_connection(napi_env env, napi_callback_info info) {
  struct call call;
  call_begin(&call, env, info);
  struct connection *connection = connection_in(&call);
  if (connection == NULL) return NULL;
  connection_close(connection, true);
  engine_settle(call.at->engine);
  return NULL;
}

/* connectionDetach(connection): its descriptor, which is the caller's from now on, or -1. */
static napi_value detach(napi_env env, napi_callback_info info) {
  struct call call;
  call_begin(&call, env, info);
  struct connection *connection = connection_in(&call);
  const int fd = connection == NULL ? -1 : connection_detach(connection);
  if (connection != NULL) engine_settle(call.at->engine);
  return number(env, fd);
}

/* connectionPark(connection): its descriptor, which `streamJoin` may take, or -1. Nothing is reported any more. */
static napi_value park(napi_env env, napi_callback_info info) {
  struct call call;
  call_begin(&call, env, info);
  struct connection *connection = connection_in(&call);
  return number(env, connection == NULL ? -1 : connection_park(connection));
}

/* connectionUnpark(connection): no stream has taken it. Its descriptor is the caller's from now on. */
static napi_value unpark(napi_env env, napi_callback_info info) {
  struct call call;
  call_begin(&call, env, info);
  struct connection *connection = any_in(&call);
  if (connection == NULL || !connection->parked || connection->stream != NULL) return NULL;
  connection_unpark(connection);
  engine_settle(call.at->engine);
  return NULL;
}

void connection_functions(napi_env env, napi_value exports) {
  const struct function functions[] = {
      {"connectionMemory", memory},
      {"connectionDial", open_connection},
      {"connectionAdopt", adopt},
      {"connectionRead", read_on},
      {"connectionWrite", write_connection},
      {"connectionEnd", end_connection},
      {"connectionClose", close_connection},
      {"connectionDetach", detach},
      {"connectionPark", park},
      {"connectionUnpark", unpark},
  };
  define_functions(env, exports, functions, sizeof functions / sizeof *functions);
}
