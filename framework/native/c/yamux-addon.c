/* What JavaScript calls. */
#define _GNU_SOURCE
#include "yamux-addon.h"
#include "address.h"
#include "call.h"
#include "connection.h"
#include "yamux.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

/* Columns of the numbers of a stream. src/link-binding.ts has the same. */
enum { STREAM_SEND_WINDOW, STREAM_CREDIT, STREAM_WINDOW, STREAM_OWED, STREAM_UNCOUNTED, STREAM_FLAGS, STREAM_COLUMNS };
/* owned: the descriptor is the stream's from now on. opens: its first frame has the SYN. */
enum { STREAM_ACKNOWLEDGED = 1, STREAM_ENDED = 2, STREAM_OWNED = 4, STREAM_OPENS = 8 };

static double *doubles_at(struct call *call, size_t index, size_t count) {
  napi_typedarray_type type;
  size_t length = 0;
  void *data = NULL;
  if (call->count <= index || napi_get_typedarray_info(call->env, call->arguments[index], &type, &length, &data, NULL,
                                                       NULL) != napi_ok)
    return NULL;
  return type == napi_float64_array && length >= count ? data : NULL;
}

static struct link *link_at(struct call *call) {
  int32_t value = -1;
  return call->at->engine == NULL || !call_int(call, 0, &value) ? NULL : engine_link(call->at->engine, value);
}

static struct stream *stream_at(struct call *call) {
  int32_t id = 0;
  struct link *link = link_at(call);
  return link == NULL || !call_int(call, 1, &id) ? NULL : link_find(link, (uint32_t)id);
}

/* yamuxMemory(memory): what is read into from now on. */
static napi_value memory(napi_env env, napi_callback_info info) {
  struct call call;
  uint8_t *data = NULL;
  size_t size = 0;
  call_begin(&call, env, info);
  struct engine *engine = call.at->engine;
  if (engine == NULL || !call_buffer(&call, 0, &data, &size) || size < 65536 || size > INT32_MAX) return invalid(env);
  if (engine->memory_ref != NULL) napi_delete_reference(env, engine->memory_ref);
  napi_create_reference(env, call.arguments[0], 1, &engine->memory_ref);
  engine->memory = data;
  engine->memory_bytes = size;
  return NULL;
}

/* yamuxSetup(memory, rows, deliver): once. Whether links can be opened. */
static napi_value setup(napi_env env, napi_callback_info info) {
  struct call call;
  napi_valuetype type = napi_undefined;
  napi_value name, result;
  uint8_t *data = NULL;
  size_t size = 0;
  call_begin(&call, env, info);
  if (call.at->engine != NULL || call.at->ending || !call_buffer(&call, 0, &data, &size) || size < 65536 ||
      size > INT32_MAX || call.count < 3 || napi_typeof(env, call.arguments[2], &type) != napi_ok ||
      type != napi_function)
    return invalid(env);
  int32_t *rows = rows_of(env, call.arguments[1], EVENT_COLUMNS * MAX_EVENTS);
  if (rows == NULL) return invalid(env);
  struct engine *engine = engine_open(call.at);
  napi_get_boolean(env, engine != NULL, &result);
  if (engine == NULL) return result;
  call.at->engine = engine;
  engine->rows = rows;
  engine->memory = data;
  engine->memory_bytes = size;
  napi_create_reference(env, call.arguments[0], 1, &engine->memory_ref);
  napi_create_reference(env, call.arguments[1], 1, &engine->rows_ref);
  napi_create_reference(env, call.arguments[2], 1, &engine->deliver);
  napi_create_string_utf8(env, "RYSTRAYAMUX", NAPI_AUTO_LENGTH, &name);
  napi_async_init(env, NULL, name, &engine->context);
  return result;
}

/* linkOpen(descriptor, shared, frameSize, maxWindow, limit): a number, or -errno. The descriptor stays the caller's. */
static napi_value open_link(napi_env env, napi_callback_info info) {
  struct call call;
  int32_t descriptor = -1, frame = 0, window = 0;
  double limit = 0;
  int error = 0;
  call_begin(&call, env, info);
  double *shared = doubles_at(&call, 1, SHARED_COLUMNS);
  if (call.at->engine == NULL || shared == NULL || !call_int(&call, 0, &descriptor) || !call_int(&call, 2, &frame) ||
      !call_int(&call, 3, &window) || frame < 1024 || frame > MAX_FRAME || window < INITIAL_WINDOW || call.count < 5 ||
      napi_get_value_double(env, call.arguments[4], &limit) != napi_ok)
    return invalid(env);
  struct link *link = link_open(call.at->engine, descriptor, &error);
  if (link == NULL) return number(env, error);
  link->shared = shared;
  napi_create_reference(env, call.arguments[1], 1, &link->shared_ref);
  link->frame_size = (uint32_t)frame;
  link->max_window = (uint32_t)window;
  link->limit = limit;
  return number(env, link->number);
}

/* linkStart(link, bytes): reads from now on, these first. 0, or -errno. */
static napi_value start(napi_env env, napi_callback_info info) {
  struct call call;
  uint8_t *data = NULL;
  size_t size = 0;
  call_begin(&call, env, info);
  struct link *link = link_at(&call);
  if (link == NULL || !call_buffer(&call, 1, &data, &size)) return invalid(env);
  const int error = link_start(link, data, size);
  engine_settle(call.at->engine);
  return number(env, error);
}

/* linkWrite(link, memory, start, end): whether all is sent; otherwise the rest is copied, and EVENT_WRITABLE follows. */
static napi_value write_link(napi_env env, napi_callback_info info) {
  struct call call;
  const uint8_t *data = NULL;
  size_t size = 0;
  napi_value result;
  call_begin(&call, env, info);
  struct link *link = link_at(&call);
  if (link == NULL || !call_part(&call, 1, &data, &size)) return invalid(env);
  const bool sent = link_write(link, data, size);
  engine_settle(call.at->engine);
  napi_get_boolean(env, sent, &result);
  return result;
}

/* linkEnd(link): ends it behind what was written. */
static napi_value end_link(napi_env env, napi_callback_info info) {
  struct call call;
  call_begin(&call, env, info);
  struct link *link = link_at(&call);
  if (link != NULL) link_end(link);
  if (link != NULL) engine_settle(call.at->engine);
  return NULL;
}

/* linkClose(link, reset): gives it back, and resets its streams. */
static napi_value close_link(napi_env env, napi_callback_info info) {
  struct call call;
  int32_t reset = 0;
  call_begin(&call, env, info);
  struct link *link = link_at(&call);
  if (link == NULL || !call_int(&call, 1, &reset)) return NULL;
  link_close(link, reset != 0);
  engine_settle(call.at->engine);
  return NULL;
}

static bool within(double value, double most) { return value >= 0 && value <= most; }

/* What a stream begins with. */
struct beginning {
  uint8_t *unread, *head, *answer;
  size_t unread_size, head_size, answer_size;
};

static struct stream *stream_made(uint32_t id, int fd, struct connection *place, const double *numbers, const struct beginning *from) {
  const uint32_t flags = (uint32_t)numbers[STREAM_FLAGS];
  struct stream *stream = calloc(1, sizeof *stream);
  if (stream == NULL || !bytes_append(&stream->inbox, from->unread, from->unread_size)) {
    free(stream);
    return NULL;
  }
  stream->entry = (struct entry){.fd = fd, .place = place};
  if (place == NULL) stream->entry.cookie = socket_cookie(fd);
  stream->id = id;
  stream->received = from->unread_size;
  stream->send_window = (uint32_t)numbers[STREAM_SEND_WINDOW] - (uint32_t)from->head_size;
  stream->credit = (uint32_t)numbers[STREAM_CREDIT];
  stream->window = (uint32_t)numbers[STREAM_WINDOW];
  stream->owed = (uint32_t)numbers[STREAM_OWED];
  stream->uncounted = (uint32_t)numbers[STREAM_UNCOUNTED];
  stream->acknowledged = (flags & STREAM_ACKNOWLEDGED) != 0;
  stream->end_received = (flags & STREAM_ENDED) != 0;
  stream->awaits = from->answer_size > 0;
  stream->answer_size = (uint8_t)from->answer_size;
  if (stream->awaits) memcpy(stream->answer, from->answer, from->answer_size);
  return stream;
}

/* A socket that is the stream's alone is connected, and most visitors speak first. */
static void begin(struct stream *stream, bool opens, const struct beginning *from) {
  if (from->head_size > 0) link_data(stream->link, opens ? FLAG_SYN : 0, stream->id, from->head, from->head_size);
  if (stream->entry.place == NULL) return;
  stream->readable = opens;
  stream_ring(stream);
  stream_event(stream, stream->entry.place->seen | EPOLLOUT);
}

/* streamJoin(link, id, descriptor, numbers, bytes, head, answer): joins a stream with a socket, which gets the bytes
   first, behind the answer of the peer. The peer gets the head first. 0, or -errno. The descriptor stays the caller's,
   unless STREAM_OWNED is set, for one that was parked, and 0 is returned. */
static napi_value join(napi_env env, napi_callback_info info) {
  struct call call;
  struct beginning from;
  int32_t id = 0, descriptor = -1;
  call_begin(&call, env, info);
  struct link *link = link_at(&call);
  const double *numbers = doubles_at(&call, 3, STREAM_COLUMNS);
  if (link == NULL || numbers == NULL || !call_int(&call, 1, &id) || !call_int(&call, 2, &descriptor) ||
      !call_buffer(&call, 4, &from.unread, &from.unread_size) || !call_buffer(&call, 5, &from.head, &from.head_size) ||
      !call_buffer(&call, 6, &from.answer, &from.answer_size))
    return invalid(env);
  for (int i = 0; i < STREAM_COLUMNS; i++)
    if (!within(numbers[i], UINT32_MAX)) return invalid(env);
  if (numbers[STREAM_WINDOW] < INITIAL_WINDOW || link_find(link, (uint32_t)id) != NULL ||
      from.head_size > MAX_HEAD || (double)from.head_size > numbers[STREAM_SEND_WINDOW] ||
      from.answer_size > MAX_ANSWER)
    return invalid(env);
  if (link->closed || link->lost) return number(env, -ECONNRESET);
  const uint32_t flags = (uint32_t)numbers[STREAM_FLAGS];
  const bool owned = (flags & STREAM_OWNED) != 0;
  struct connection *place = owned ? connection_parked(call.at->engine, descriptor) : NULL;
  if (owned && place == NULL) return number(env, -EBADF);
  const int fd = owned ? descriptor : fcntl(descriptor, F_DUPFD_CLOEXEC, 3);
  if (fd < 0) return number(env, -errno);
  struct stream *stream = stream_made((uint32_t)id, fd, place, numbers, &from);
  if (stream == NULL) {
    if (!owned) close(fd);
    return number(env, -ENOMEM);
  }
  stream->link = link;
  int error = link_add(link, stream);
  if (error == 0 && !owned && (error = engine_watch(call.at->engine, &stream->entry)) != 0) link_remove(link, stream);
  if (error != 0) {
    bytes_free(&stream->inbox);
    free(stream);
    if (!owned) close(fd);
    return number(env, error);
  }
  if (owned) connection_give(place, stream);
  link->shared[SHARED_USED] += (double)from.unread_size;
  /* The rest of a frame that JavaScript has begun to read. */
  if (link->to_script && link->left > 0 && link->current == stream->id) {
    link->to_script = false;
    link->target = stream;
  }
  begin(stream, (flags & STREAM_OPENS) != 0, &from);
  engine_settle(call.at->engine);
  return number(env, 0);
}

/* streamAnswer(link, id): a copy of what the peer has answered otherwise so far. */
static napi_value answer(napi_env env, napi_callback_info info) {
  struct call call;
  napi_value result;
  call_begin(&call, env, info);
  const struct stream *stream = stream_at(&call);
  const bool is = stream != NULL && stream->awaits && stream->otherwise;
  const size_t size = is ? bytes_left(&stream->inbox) : 0;
  const void *from = size == 0 ? NULL : stream->inbox.memory + stream->inbox.start;
  return napi_create_buffer_copy(env, size, from, NULL, &result) == napi_ok ? result : NULL;
}

/* streamAccept(link, id, bytes): so many of them accept the stream; the rest is for the socket. */
static napi_value accept_stream(napi_env env, napi_callback_info info) {
  struct call call;
  int32_t bytes = 0;
  call_begin(&call, env, info);
  struct stream *stream = stream_at(&call);
  if (stream == NULL || !call_int(&call, 2, &bytes) || bytes < 0) return NULL;
  stream_accept(stream, (size_t)bytes);
  engine_settle(call.at->engine);
  return NULL;
}

/* streamDrop(link, id): resets its socket. JavaScript has told the peer. */
static napi_value drop(napi_env env, napi_callback_info info) {
  struct call call;
  call_begin(&call, env, info);
  struct stream *stream = stream_at(&call);
  if (stream == NULL) return NULL;
  stream_drop(stream, true);
  engine_settle(call.at->engine);
  return NULL;
}

/* streamLeave(link, id): the link takes no more; what was received still goes to the socket. */
static napi_value leave(napi_env env, napi_callback_info info) {
  struct call call;
  call_begin(&call, env, info);
  struct stream *stream = stream_at(&call);
  if (stream == NULL) return NULL;
  stream_leave(stream);
  engine_settle(call.at->engine);
  return NULL;
}

/* streamStats(link, id, numbers): writes bytes sent and received, those that wait, the credit, and 1 when bytes of the
   socket wait for the window of the peer. Whether there is one. */
static napi_value stats(napi_env env, napi_callback_info info) {
  struct call call;
  napi_value result;
  call_begin(&call, env, info);
  const struct stream *stream = stream_at(&call);
  double *numbers = doubles_at(&call, 2, 5);
  if (stream != NULL && numbers != NULL) {
    numbers[0] = (double)stream->sent;
    numbers[1] = (double)stream->received;
    numbers[2] = (double)bytes_left(&stream->inbox);
    numbers[3] = stream->credit;
    numbers[4] = stream->readable && !stream->end_sent && stream->send_window == 0;
  }
  napi_get_boolean(env, stream != NULL && numbers != NULL, &result);
  return result;
}

/* limitUnsent(descriptor, bytes): most bytes that a socket takes and has not sent yet. Whether it does so. */
static napi_value limit(napi_env env, napi_callback_info info) {
  struct call call;
  napi_value result;
  int32_t descriptor = -1, bytes = 0;
  call_begin(&call, env, info);
  if (!call_int(&call, 0, &descriptor) || !call_int(&call, 1, &bytes) || bytes < 0) return invalid(env);
  napi_get_boolean(env, limit_unsent(descriptor, (uint32_t)bytes) == 0, &result);
  return result;
}

void yamux_functions(napi_env env, napi_value exports) {
  const struct function functions[] = {
      {"yamuxSetup", setup},
      {"yamuxMemory", memory},
      {"linkOpen", open_link},
      {"linkStart", start},
      {"linkWrite", write_link},
      {"linkEnd", end_link},
      {"linkClose", close_link},
      {"streamJoin", join},
      {"streamAnswer", answer},
      {"streamAccept", accept_stream},
      {"streamDrop", drop},
      {"streamLeave", leave},
      {"streamStats", stats},
      {"limitUnsent", limit},
  };
  define_functions(env, exports, functions, sizeof functions / sizeof *functions);
}
