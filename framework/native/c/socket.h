/* Sockets of an environment: their life, and what they report. */
#ifndef RYSTRA_SOCKET_H
#define RYSTRA_SOCKET_H

#define NAPI_VERSION 8
#include <node_api.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct socket;
struct engine;

/* One for each environment: the main thread and each worker. */
struct environment {
  napi_env env;
  uv_loop_t *loop;
  napi_async_cleanup_hook_handle hook;
  napi_ref memory_ref, rows_ref;
  uint8_t *memory;
  int32_t *rows;
  struct socket *first;
  struct engine *engine;
  /* Of the engine, not closed yet. */
  int engine_handles;
  bool ending;
};

struct socket {
  uv_poll_t poll;
  struct environment *at;
  struct socket *next, **link;
  napi_ref deliver;
  napi_async_context context;
  /* The number of the descriptor, and of the socket that it stands for. */
  int fd;
  uint64_t cookie;
  /* closed: to be closed by libuv; reported: closed; wrapped: an object of JavaScript refers to it. */
  bool segment, closed, reported, wrapped, writable;
};

/* Reads a copy of `descriptor`. `deliver` gets a number of messages, 0 when more can be sent, or -errno. NULL and an
   error below 0. `object` is what refers to it. */
struct socket *socket_open(struct environment *at, int descriptor, napi_value deliver, bool coalesce, int *error);

/* Gives the descriptor back at once, and the memory when libuv and `object` are done with it. */
void socket_close(struct socket *socket);

/* The object is gone. */
void socket_unwrapped(struct socket *socket);

/* Also waits until more can be sent. */
void socket_want_writable(struct socket *socket);

/* Something of the environment is closed: it may end with the last. */
void environment_ended(struct environment *at);

/* What the kernel calls the socket of a descriptor; 0 for none. A number alone may belong to another by now. */
uint64_t socket_cookie(int fd);

/* Closes all sockets when the environment ends. */
void environment_end(napi_async_cleanup_hook_handle handle, void *data);

#endif
