#define _GNU_SOURCE
#include "socket.h"
#include "batch.h"
#include "yamux.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { RECEIVES_PER_EVENT = 4, COALESCE_OPTION = 104 /* UDP_GRO */, COOKIE_OPTION = 57 /* SO_COOKIE */ };

static void release(struct socket *socket) {
  if (socket->reported && !socket->wrapped) free(socket);
}

void environment_ended(struct environment *at) {
  if (at->ending && at->first == NULL && at->engine_handles == 0) napi_remove_async_cleanup_hook(at->hook);
}

static void on_closed(uv_handle_t *handle) {
  struct socket *socket = handle->data;
  struct environment *at = socket->at;
  *socket->link = socket->next;
  if (socket->next != NULL) socket->next->link = socket->link;
  socket->reported = true;
  release(socket);
  environment_ended(at);
}

uint64_t socket_cookie(int fd) {
  uint64_t cookie = 0;
  socklen_t size = sizeof cookie;
  return getsockopt(fd, SOL_SOCKET, COOKIE_OPTION, &cookie, &size) == 0 ? cookie : 0;
}

void socket_close(struct socket *socket) {
  if (socket->closed) return;
  socket->closed = true;
  uv_close((uv_handle_t *)&socket->poll, on_closed);
  if (socket->fd >= 0 && socket_cookie(socket->fd) == socket->cookie) close(socket->fd);
  socket->fd = -1;
  napi_delete_reference(socket->at->env, socket->deliver);
  napi_async_destroy(socket->at->env, socket->context);
}

void socket_unwrapped(struct socket *socket) {
  socket->wrapped = false;
  /* Alive until closed: only the end of the environment finalizes an open one. */
  if (socket->reported) release(socket);
  else socket_close(socket);
}

void environment_end(napi_async_cleanup_hook_handle handle, void *data) {
  (void)handle;
  struct environment *at = data;
  at->ending = true;
  for (struct socket *socket = at->first; socket != NULL; socket = socket->next) socket_close(socket);
  if (at->engine != NULL) engine_close(at->engine);
  environment_ended(at);
}

/* Calls JavaScript. Whatever it throws is an uncaught exception, as of any event handler. */
static void deliver(struct socket *socket, int32_t what) {
  napi_env env = socket->at->env;
  napi_handle_scope scope;
  napi_value callback, argument, receiver, error;
  bool pending = false;
  if (napi_open_handle_scope(env, &scope) != napi_ok) return;
  napi_get_reference_value(env, socket->deliver, &callback);
  napi_create_int32(env, what, &argument);
  napi_get_global(env, &receiver);
  if (napi_make_callback(env, socket->context, receiver, callback, 1, &argument, NULL) != napi_ok &&
      napi_is_exception_pending(env, &pending) == napi_ok && pending &&
      napi_get_and_clear_last_exception(env, &error) == napi_ok)
    napi_fatal_exception(env, error);
  napi_close_handle_scope(env, scope);
}

static void on_poll(uv_poll_t *poll, int status, int events);

static void watch(struct socket *socket) {
  uv_poll_start(&socket->poll, UV_READABLE | (socket->writable ? UV_WRITABLE : 0), on_poll);
}

/* Another has closed the descriptor: its number may belong to someone else by now. */
static void forget(struct socket *socket) {
  socket->fd = -1;
  uv_poll_stop(&socket->poll);
}

static void receive(struct socket *socket) {
  for (int i = 0; i < RECEIVES_PER_EVENT && !socket->closed; i++) {
    const int count = batch_receive(socket->fd, socket->at->memory, socket->at->rows);
    if (count == -EAGAIN || count == -EWOULDBLOCK) return;
    if (count == -EBADF || count == -ENOTSOCK) forget(socket);
    deliver(socket, count);
    if (count < MAX_MESSAGES) return;
  }
}

static void on_poll(uv_poll_t *poll, int status, int events) {
  struct socket *socket = poll->data;
  /* libuv stops at an error of the socket, an ICMP message say, which receiving reports. */
  const bool readable = status < 0 || (events & UV_READABLE) != 0;
  const bool drained = socket->writable && (events & UV_WRITABLE) != 0;
  if (drained) socket->writable = false;
  if (readable) receive(socket);
  if (socket->closed || socket->fd < 0) return;
  if (drained || status < 0) watch(socket);
  if (drained) deliver(socket, 0);
}

struct socket *socket_open(struct environment *at, int descriptor, napi_value callback, bool coalesce, int *error) {
  int kind = 0, on = 1;
  socklen_t size = sizeof kind;
  napi_value name;
  *error = at->ending ? -ECANCELED : 0;
  if (*error == 0 && getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &kind, &size) != 0) *error = -errno;
  if (*error == 0 && kind != SOCK_DGRAM) *error = -EPROTOTYPE;
  if (*error != 0) return NULL;
  const int fd = fcntl(descriptor, F_DUPFD_CLOEXEC, 3);
  if (fd < 0) {
    *error = -errno;
    return NULL;
  }
  struct socket *socket = calloc(1, sizeof *socket);
  *error = socket == NULL ? -ENOMEM : uv_poll_init(at->loop, &socket->poll, fd);
  if (*error != 0) {
    close(fd);
    free(socket);
    return NULL;
  }
  /* Without it the kernel hands out single datagrams. */
  if (coalesce) setsockopt(fd, IPPROTO_UDP, COALESCE_OPTION, &on, sizeof on);
  socket->at = at;
  socket->fd = fd;
  socket->cookie = socket_cookie(fd);
  socket->poll.data = socket;
  socket->next = at->first;
  socket->link = &at->first;
  if (at->first != NULL) at->first->link = &socket->next;
  at->first = socket;
  napi_create_reference(at->env, callback, 1, &socket->deliver);
  napi_create_string_utf8(at->env, "RYSTRAUDP", NAPI_AUTO_LENGTH, &name);
  napi_async_init(at->env, NULL, name, &socket->context);
  watch(socket);
  return socket;
}

void socket_want_writable(struct socket *socket) {
  if (socket->writable) return;
  socket->writable = true;
  watch(socket);
}
