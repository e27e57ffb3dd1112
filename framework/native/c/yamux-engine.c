/* The events of all links of an environment: one epoll of their descriptors, watched by Node's event loop. */
#define _GNU_SOURCE
#include "connection.h"
#include "yamux.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { EVENTS_PER_BATCH = 128 };

double engine_now(void) {
  return (double)uv_hrtime() / 1e6;
}

struct link *engine_link(struct engine *engine, int32_t number) {
  const int32_t place = number & (MAX_LINKS - 1);
  struct link *link = number < 0 || place >= engine->link_room ? NULL : engine->links[place];
  return link != NULL && link->number == number ? link : NULL;
}

void engine_hold(struct engine *engine) {
  if (engine->held++ == 0) uv_ref((uv_handle_t *)&engine->poll);
}

void engine_unhold(struct engine *engine) {
  if (--engine->held == 0 && !engine->closed) uv_unref((uv_handle_t *)&engine->poll);
}

static void reap(struct engine *engine) {
  connections_reap(engine);
  while (engine->reaped != NULL) {
    struct entry *entry = engine->reaped;
    engine->reaped = entry->reaped_next;
    free(entry);
  }
}

int engine_watch(struct engine *engine, struct entry *entry) {
  struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = entry};
  return epoll_ctl(engine->epoll_fd, EPOLL_CTL_ADD, entry->fd, &event) == 0 ? 0 : -errno;
}

void engine_unwatch(struct engine *engine, struct entry *entry) {
  if (entry->place != NULL) {
    connection_given(entry->place);
    close(entry->fd);
  } else if (entry->cookie == socket_cookie(entry->fd)) {
    /* Before the descriptor is closed: its socket lives on in another one, and epoll knows sockets. */
    epoll_ctl(engine->epoll_fd, EPOLL_CTL_DEL, entry->fd, NULL);
    close(entry->fd);
  } else {
    /* Another has closed it, and its number may be in use again. epoll still refers to the entry: it is not freed. */
    entry->kept = true;
  }
  entry->fd = -1;
  entry->dead = true;
}

void engine_reap(struct engine *engine, struct entry *entry) {
  if (entry->kept) return;
  entry->reaped_next = engine->reaped;
  engine->reaped = entry;
}

static int32_t *event_row(struct engine *engine) {
  if (engine->event_count == engine->event_room) {
    const size_t room = engine->event_room == 0 ? MAX_EVENTS : engine->event_room * 2;
    int32_t *events = realloc(engine->events, room * EVENT_COLUMNS * sizeof *events);
    if (events == NULL) abort();
    engine->events = events;
    engine->event_room = room;
  }
  return engine->events + engine->event_count++ * EVENT_COLUMNS;
}

static int32_t *post(struct engine *engine, int32_t number, enum event_kind kind, int32_t a, int32_t b) {
  int32_t *row = event_row(engine);
  memset(row, 0, EVENT_COLUMNS * sizeof *row);
  row[0] = number;
  row[1] = kind;
  row[2] = a;
  row[3] = b;
  return row;
}

void engine_post_to(struct engine *engine, int32_t number, enum event_kind kind, int32_t a, int32_t b) {
  post(engine, number, kind, a, b);
}

void engine_post(struct link *link, enum event_kind kind, int32_t a, int32_t b, int32_t c) {
  post(link->engine, link->number, kind, a, b)[4] = c;
}

void engine_post_over(struct stream *stream, int32_t reason) {
  int32_t *row = event_row(stream->link->engine);
  row[0] = stream->link->number;
  row[1] = EVENT_OVER;
  row[2] = (int32_t)stream->id;
  row[3] = reason;
  row[4] = (int32_t)(stream->sent >> 32);
  row[5] = (int32_t)(uint32_t)stream->sent;
  row[6] = (int32_t)(stream->received >> 32);
  row[7] = (int32_t)(uint32_t)stream->received;
}

/* Calls JavaScript. What it throws is an uncaught exception, as of any event handler. */
void engine_deliver(struct engine *engine) {
  napi_env env = engine->at->env;
  size_t told = 0;
  if (engine->delivering || engine->closed || engine->event_count == 0) return;
  engine->delivering = true;
  while (told < engine->event_count && !engine->closed) {
    size_t count = engine->event_count - told;
    napi_handle_scope scope;
    napi_value callback, arguments[2], receiver, error;
    bool pending = false;
    if (count > MAX_EVENTS) count = MAX_EVENTS;
    memcpy(engine->rows, engine->events + told * EVENT_COLUMNS, count * EVENT_COLUMNS * sizeof *engine->rows);
    told += count;
    if (napi_open_handle_scope(env, &scope) != napi_ok) break;
    napi_get_reference_value(env, engine->deliver, &callback);
    napi_create_int32(env, (int32_t)count, &arguments[0]);
    napi_get_boolean(env, told < engine->event_count, &arguments[1]);
    napi_get_global(env, &receiver);
    if (napi_make_callback(env, engine->context, receiver, callback, 2, arguments, NULL) != napi_ok &&
        napi_is_exception_pending(env, &pending) == napi_ok && pending &&
        napi_get_and_clear_last_exception(env, &error) == napi_ok)
      napi_fatal_exception(env, error);
    napi_close_handle_scope(env, scope);
  }
  engine->event_count = 0;
  engine->reads_used = 0;
  engine->delivering = false;
}

void engine_work(struct link *link) {
  struct engine *engine = link->engine;
  if (link->working || link->entry.dead) return;
  link->working = true;
  link->work_next = NULL;
  link->work_previous = engine->work_last;
  if (engine->work_last == NULL) engine->work_first = link;
  else engine->work_last->work_next = link;
  engine->work_last = link;
}

void engine_idle(struct link *link) {
  struct engine *engine = link->engine;
  if (!link->working) return;
  link->working = false;
  if (link->work_previous == NULL) engine->work_first = link->work_next;
  else link->work_previous->work_next = link->work_next;
  if (link->work_next == NULL) engine->work_last = link->work_previous;
  else link->work_next->work_previous = link->work_previous;
}

static void on_spin(uv_idle_t *spin);

void engine_settle(struct engine *engine) {
  if (engine->busy || engine->closed) return;
  const bool spin = engine->work_first != NULL || engine->connection_first != NULL || engine->event_count > 0;
  if (engine->out_link != NULL) link_flush(engine->out_link);
  reap(engine);
  if (spin == engine->spinning) return;
  engine->spinning = spin;
  if (spin) uv_idle_start(&engine->spin, on_spin);
  else uv_idle_stop(&engine->spin);
}

/* One turn of each link that has work. */
static void turn(struct engine *engine) {
  connections_turn(engine);
  struct link *last = engine->work_last;
  while (engine->work_first != NULL) {
    struct link *link = engine->work_first;
    engine_idle(link);
    link_turn(link);
    /* `last` may have been closed, by JavaScript: then the next one ends the turn. */
    if (link == last || last == NULL || last->entry.dead) break;
  }
  if (engine->out_link != NULL) link_flush(engine->out_link);
  engine_deliver(engine);
  engine->busy = false;
  engine_settle(engine);
}

static void on_spin(uv_idle_t *spin) {
  struct engine *engine = spin->data;
  engine->busy = true;
  turn(engine);
}

static void on_poll(uv_poll_t *poll, int status, int flags) {
  struct engine *engine = poll->data;
  struct epoll_event events[EVENTS_PER_BATCH];
  (void)status;
  (void)flags;
  engine->busy = true;
  const int count = epoll_wait(engine->epoll_fd, events, EVENTS_PER_BATCH, 0);
  for (int i = 0; i < count; i++) {
    if (events[i].data.u64 & 1) {
      struct connection *connection = connection_of_tag(engine, events[i].data.u64);
      if (connection != NULL) connection_event(connection, events[i].events);
      continue;
    }
    struct entry *entry = events[i].data.ptr;
    if (entry->dead) continue;
    if (entry->is_link) link_event((struct link *)entry, events[i].events);
    else stream_event((struct stream *)entry, events[i].events);
  }
  turn(engine);
}

struct engine *engine_open(struct environment *at) {
  struct engine *engine = calloc(1, sizeof *engine);
  if (engine == NULL) return NULL;
  engine->at = at;
  engine->out = malloc(OUT_BYTES);
  engine->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  if (engine->out == NULL || engine->epoll_fd < 0 || uv_poll_init(at->loop, &engine->poll, engine->epoll_fd) != 0) {
    if (engine->epoll_fd >= 0) close(engine->epoll_fd);
    free(engine->out);
    free(engine);
    return NULL;
  }
  uv_idle_init(at->loop, &engine->spin);
  engine->poll.data = engine;
  engine->spin.data = engine;
  at->engine_handles = 2;
  uv_poll_start(&engine->poll, UV_READABLE, on_poll);
  /* Links keep the process. */
  uv_unref((uv_handle_t *)&engine->poll);
  return engine;
}

static void on_closed(uv_handle_t *handle) {
  struct engine *engine = handle->data;
  struct environment *at = engine->at;
  at->engine_handles--;
  if (at->engine_handles > 0) return;
  free(engine->events);
  free(engine->links);
  free(engine->connections);
  free(engine->free_places);
  free(engine->out);
  if (engine->tls != NULL) free(engine->tls->out);
  free(engine->tls);
  free(engine);
  environment_ended(at);
}

void engine_close(struct engine *engine) {
  if (engine->closed) return;
  engine->closed = true;
  for (int32_t i = 0; i < engine->link_room; i++)
    if (engine->links[i] != NULL) {
      struct link *link = engine->links[i];
      for (uint32_t j = 0; j < link->buckets; j++)
        for (struct stream *stream = link->table[j]; stream != NULL; stream = stream->hash_next) stream->left = false;
      link_close(link, true);
    }
  connections_close(engine);
  reap(engine);
  uv_close((uv_handle_t *)&engine->poll, on_closed);
  uv_close((uv_handle_t *)&engine->spin, on_closed);
  close(engine->epoll_fd);
  pipes_close(engine);
  napi_delete_reference(engine->at->env, engine->memory_ref);
  if (engine->reads_ref != NULL) napi_delete_reference(engine->at->env, engine->reads_ref);
  napi_delete_reference(engine->at->env, engine->rows_ref);
  napi_delete_reference(engine->at->env, engine->deliver);
  napi_async_destroy(engine->at->env, engine->context);
}
