/* TCP connections without objects of Node. */
#define _GNU_SOURCE
#include "connection.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ALIGN = 16 };

struct connection *connection_at(struct engine *engine, int32_t number) {
  const int32_t place = number & (MAX_CONNECTIONS - 1);
  struct connection *found = number < 0 || place >= engine->connection_room ? NULL : engine->connections[place];
  return found != NULL && found->number == number ? found : NULL;
}

struct connection *connection_of_tag(struct engine *engine, uint64_t tag) {
  return connection_at(engine, (int32_t)(uint32_t)(tag >> 1));
}

static bool grow(struct engine *engine) {
  const int32_t before = engine->connection_room, room = before == 0 ? 64 : before * 2;
  if (room > MAX_CONNECTIONS) return false;
  struct connection **connections = realloc(engine->connections, (size_t)room * sizeof *connections);
  if (connections == NULL) return false;
  engine->connections = connections;
  int32_t *places = realloc(engine->free_places, (size_t)room * sizeof *places);
  if (places == NULL) return false;
  engine->free_places = places;
  for (int32_t place = room - 1; place >= before; place--) {
    connections[place] = NULL;
    places[engine->free_count++] = place;
  }
  engine->connection_room = room;
  return true;
}

struct connection *connection_open(struct engine *engine, int fd, bool connecting, int *error) {
  struct connection *connection = NULL;
  *error = engine->closed ? -ECANCELED : -ENOMEM;
  if (!engine->closed && (engine->free_count > 0 || grow(engine))) connection = calloc(1, sizeof *connection);
  if (connection == NULL) {
    close(fd);
    return NULL;
  }
  const int32_t place = engine->free_places[engine->free_count - 1];
  /* A number is not used again soon: events of the one before may not be told yet. */
  engine->connection_generation = (engine->connection_generation + 1) & (INT32_MAX >> PLACE_BITS);
  connection->engine = engine;
  connection->fd = fd;
  connection->connecting = connecting;
  connection->number = engine->connection_generation << PLACE_BITS | place;
  struct epoll_event event = {
      .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.u64 = connection_tag(connection->number)};
  if (epoll_ctl(engine->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
    *error = -errno;
    close(fd);
    free(connection);
    return NULL;
  }
  engine->free_count--;
  engine->connections[place] = connection;
  engine_hold(engine);
  return connection;
}

static void ring(struct connection *connection) {
  struct engine *engine = connection->engine;
  if (connection->ringed || !connection->readable || !connection->reading || connection->ended) return;
  connection->ringed = true;
  connection->ring_next = NULL;
  connection->ring_previous = engine->connection_last;
  if (engine->connection_last == NULL) engine->connection_first = connection;
  else engine->connection_last->ring_next = connection;
  engine->connection_last = connection;
  engine->connections_ringed++;
}

static void unring(struct connection *connection) {
  struct engine *engine = connection->engine;
  if (!connection->ringed) return;
  connection->ringed = false;
  engine->connections_ringed--;
  if (connection->ring_previous == NULL) engine->connection_first = connection->ring_next;
  else connection->ring_previous->ring_next = connection->ring_next;
  if (connection->ring_next == NULL) engine->connection_last = connection->ring_previous;
  else connection->ring_next->ring_previous = connection->ring_previous;
}

/* Frees it at the end of the batch, whose events may still refer to it. */
static void forget(struct connection *connection) {
  struct engine *engine = connection->engine;
  const int32_t place = connection->number & (MAX_CONNECTIONS - 1);
  unring(connection);
  connection->dead = true;
  bytes_free(&connection->pending);
  engine->connections[place] = NULL;
  engine->free_places[engine->free_count++] = place;
  connection->reaped_next = engine->reaped_connections;
  engine->reaped_connections = connection;
  engine_unhold(engine);
}

void connections_reap(struct engine *engine) {
  while (engine->reaped_connections != NULL) {
    struct connection *connection = engine->reaped_connections;
    engine->reaped_connections = connection->reaped_next;
    free(connection);
  }
}

void connection_close(struct connection *connection, bool reset) {
  if (connection->dead) return;
  if (reset) {
    const struct linger now = {.l_onoff = 1, .l_linger = 0};
    setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  }
  close(connection->fd);
  forget(connection);
}

/* Closes and tells. */
static void over(struct connection *connection, int error) {
  if (connection->dead) return;
  engine_post_to(connection->engine, connection->number, EVENT_CONNECTION_CLOSED, error, 0);
  connection_close(connection, error != 0);
}

static int error_of(const struct connection *connection) {
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &error, &size);
  return error;
}

static void over_if_ended(struct connection *connection) {
  if (connection->ended && connection->shut) over(connection, 0);
}

static void shut_if_sent(struct connection *connection) {
  if (!connection->ending || connection->shut || connection->connecting || bytes_left(&connection->pending) > 0) return;
  connection->shut = true;
  shutdown(connection->fd, SHUT_WR);
  over_if_ended(connection);
}

/* A write failed: what the peer sent before is read first, where it is read at all. */
static void failed(struct connection *connection, int error) {
  if (connection->failed == 0) connection->failed = error;
  bytes_free(&connection->pending);
  if (!connection->reading || connection->ended) {
    over(connection, connection->failed);
    return;
  }
  connection->readable = true;
  ring(connection);
}

/* Sends as much as the kernel takes; all of it, if writing fails. */
static size_t send_now(struct connection *connection, const uint8_t *bytes, size_t size) {
  size_t sent = 0;
  while (sent < size && connection->failed == 0) {
    const ssize_t count = send(connection->fd, bytes + sent, size - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count >= 0) sent += (size_t)count;
    else if (errno == EAGAIN || errno == EWOULDBLOCK) return sent;
    else if (errno != EINTR) failed(connection, errno);
    if (connection->dead) return size;
  }
  return connection->failed != 0 ? size : sent;
}

bool connection_write(struct connection *connection, const uint8_t *bytes, size_t size) {
  if (connection->ending || connection->failed != 0) return true;
  const bool queued = connection->connecting || bytes_left(&connection->pending) > 0;
  const size_t sent = queued ? 0 : send_now(connection, bytes, size);
  if (sent == size) return true;
  if (!bytes_append(&connection->pending, bytes + sent, size - sent)) {
    failed(connection, ENOMEM);
    return true;
  }
  connection->waits = true;
  return false;
}

void connection_end(struct connection *connection) {
  connection->ending = true;
  shut_if_sent(connection);
}

static void drain(struct connection *connection) {
  struct bytes *pending = &connection->pending;
  if (bytes_left(pending) > 0) {
    const size_t sent = send_now(connection, pending->memory + pending->start, bytes_left(pending));
    if (connection->dead || connection->failed != 0) return;
    if (sent > 0) bytes_take(pending, sent);
    if (bytes_left(pending) > 0) return;
  }
  if (connection->waits) {
    connection->waits = false;
    engine_post_to(connection->engine, connection->number, EVENT_CONNECTION_WRITABLE, 0, 0);
  }
  shut_if_sent(connection);
}

void connection_read(struct connection *connection, bool on) {
  connection->reading = on;
  if (on) ring(connection);
  else unring(connection);
}

/* A reset is noticed without a reader, and by one that is paused unless there is something left for it. */
static void reset_if_silent(struct connection *connection, uint32_t events) {
  int unread = 0;
  if (connection->reading && !connection->ended) return;
  if (!connection->ended && ioctl(connection->fd, FIONREAD, &unread) == 0 && unread > 0 && connection->received) return;
  int error = error_of(connection);
  if (error == 0 && (events & EPOLLHUP) && !connection->shut) error = ECONNRESET;
  if (error != 0) over(connection, error);
}

void connection_event(struct connection *connection, uint32_t events) {
  if (connection->stream != NULL) {
    stream_event(connection->stream, events);
    return;
  }
  connection->seen |= events;
  if (connection->parked) return;
  if (connection->connecting) {
    if ((events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) == 0) return;
    const int error = events & (EPOLLERR | EPOLLHUP) ? error_of(connection) : 0;
    if (error != 0 || (events & EPOLLOUT) == 0) {
      over(connection, error == 0 ? ECONNREFUSED : error);
      return;
    }
    connection->connecting = false;
    engine_post_to(connection->engine, connection->number, EVENT_CONNECTION_OPEN, 0, 0);
  }
  if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) connection->hung_up = true;
  if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) connection->readable = true;
  ring(connection);
  if (events & EPOLLOUT) drain(connection);
  if (!connection->dead && (events & (EPOLLERR | EPOLLHUP))) reset_if_silent(connection, events);
}

static void end_received(struct connection *connection) {
  /* A reset behind the end is no end. */
  const int error = connection->failed != 0 ? connection->failed : connection->hung_up ? error_of(connection) : 0;
  if (error != 0) {
    over(connection, error);
    return;
  }
  connection->ended = true;
  engine_post_to(connection->engine, connection->number, EVENT_CONNECTION_END, 0, 0);
  over_if_ended(connection);
}

/* Where the next read goes; what was read before is told first if there is no room behind it. */
static uint8_t *room_of(struct engine *engine) {
  if (engine->reads_used + READ_HEADROOM + CONNECTION_READ > engine->reads_bytes) engine_deliver(engine);
  return engine->reads + engine->reads_used + READ_HEADROOM;
}

static void read_once(struct connection *connection) {
  struct engine *engine = connection->engine;
  uint8_t *at = room_of(engine);
  ssize_t count;
  if (connection->dead || !connection->reading || connection->ended) return;
  do count = recv(connection->fd, at, CONNECTION_READ, MSG_DONTWAIT);
  while (count < 0 && errno == EINTR);
  if (count > 0) {
    const int32_t start = (int32_t)(at - engine->reads);
    engine_post_to(engine, connection->number, EVENT_CONNECTION_BYTES, start, start + (int32_t)count);
    engine->reads_used += (READ_HEADROOM + (size_t)count + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    connection->received = true;
    connection->readable = count == CONNECTION_READ || connection->hung_up || connection->failed != 0;
    ring(connection);
  } else if (count == 0) end_received(connection);
  else if (errno != EAGAIN && errno != EWOULDBLOCK) over(connection, errno);
  else if (connection->failed != 0) over(connection, connection->failed);
  else connection->readable = false;
}

void connections_turn(struct engine *engine) {
  if (engine->connections_ringed == 0) return;
  for (int32_t left = engine->connections_ringed; left > 0 && engine->connection_first != NULL; left--) {
    struct connection *connection = engine->connection_first;
    unring(connection);
    read_once(connection);
  }
  engine_deliver(engine);
}

static bool is_settled(const struct connection *connection) {
  return !connection->dead && !connection->connecting && !connection->ending && connection->failed == 0 &&
         bytes_left(&connection->pending) == 0;
}

static void unwatch(struct connection *connection) {
  epoll_ctl(connection->engine->epoll_fd, EPOLL_CTL_DEL, connection->fd, NULL);
  forget(connection);
}

int connection_detach(struct connection *connection) {
  const int fd = connection->fd;
  if (!is_settled(connection)) return -1;
  unwatch(connection);
  return fd;
}

int connection_park(struct connection *connection) {
  struct engine *engine = connection->engine;
  if (!is_settled(connection)) return -1;
  unring(connection);
  /* It may be the one that is about to be read, where a delivery of what was read before has led here. */
  connection->reading = connection->readable = false;
  connection->parked = true;
  connection->ring_next = engine->connection_parked;
  engine->connection_parked = connection;
  return connection->fd;
}

static void leave_park(struct connection *connection) {
  struct connection **at = &connection->engine->connection_parked;
  while (*at != NULL && *at != connection) at = &(*at)->ring_next;
  if (*at != NULL) *at = connection->ring_next;
}

void connection_unpark(struct connection *connection) {
  leave_park(connection);
  unwatch(connection);
}

struct connection *connection_parked(struct engine *engine, int fd) {
  struct connection *connection = engine->connection_parked;
  while (connection != NULL && connection->fd != fd) connection = connection->ring_next;
  return connection;
}

void connection_give(struct connection *connection, struct stream *stream) {
  leave_park(connection);
  connection->stream = stream;
}

void connection_given(struct connection *connection) { forget(connection); }

void connections_close(struct engine *engine) {
  for (int32_t place = 0; place < engine->connection_room; place++)
    if (engine->connections[place] != NULL) connection_close(engine->connections[place], true);
  engine->connection_parked = NULL;
  connections_reap(engine);
}
