/* TCP connections that JavaScript reads and writes without objects of Node, in the epoll of the engine. */
#ifndef RYSTRA_CONNECTION_H
#define RYSTRA_CONNECTION_H

#include "bytes.h"
#include "yamux.h"

enum {
  CONNECTION_READ = 64 * 1024,             /* of one read */
  CONNECTION_MEMORY = 4 * CONNECTION_READ, /* at least; reads of a batch lie behind each other in it */
  PLACE_BITS = 20,                         /* of a number: its place, and a generation above */
  MAX_CONNECTIONS = 1 << PLACE_BITS
};

struct connection {
  struct engine *engine;
  struct connection *ring_next, *ring_previous, *reaped_next;
  int fd;
  int32_t number;
  int failed;                              /* errno of a write: what was received is read first */
  struct bytes pending;                    /* not sent yet */
  bool ringed, dead;
  bool connecting;
  bool received;                           /* something, by a reader */
  bool reading, readable, hung_up, ended;  /* ended: by the peer */
  bool ending, shut;                       /* no more is written; the peer was told */
  bool waits;                              /* a write that was not sent whole */
  bool parked;                             /* JavaScript is about to join it with a stream, or has */
  uint32_t seen;                           /* events of epoll so far, which is edge-triggered */
  struct stream *stream;                   /* that it was joined with: its events go there */
};

/* What epoll refers to: the number of a connection and a set bit, which no pointer has. A stale one finds nothing. */
static inline uint64_t connection_tag(int32_t number) { return (uint64_t)(uint32_t)number << 1 | 1; }

struct connection *connection_at(struct engine *engine, int32_t number);
struct connection *connection_of_tag(struct engine *engine, uint64_t tag);
/* Takes the descriptor over. NULL and an error below 0: it was closed. */
struct connection *connection_open(struct engine *engine, int fd, bool connecting, int *error);
void connection_event(struct connection *connection, uint32_t events);
/* One read of each that can be read and is. */
void connections_turn(struct engine *engine);
void connection_read(struct connection *connection, bool on);
/* Whether all is sent; otherwise the rest is copied. */
bool connection_write(struct connection *connection, const uint8_t *bytes, size_t size);
/* Ends it behind what was written. */
void connection_end(struct connection *connection);
/* Nothing is reported any more. */
void connection_close(struct connection *connection, bool reset);
/* Gives its descriptor to the caller; -1 while bytes wait or it is not connected yet. */
int connection_detach(struct connection *connection);
/* The same, but epoll goes on watching it: it is joined with a stream by its descriptor, or unparked. */
int connection_park(struct connection *connection);
void connection_unpark(struct connection *connection);
struct connection *connection_parked(struct engine *engine, int fd);
/* The stream has its place and its descriptor from now on, until it closes it. */
void connection_give(struct connection *connection, struct stream *stream);
void connection_given(struct connection *connection);
void connections_reap(struct engine *engine);
void connections_close(struct engine *engine);

#endif
