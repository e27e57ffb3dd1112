/* Links of yamux whose streams are joined with sockets outside of JavaScript, on Node's own event loop.
   https://github.com/hashicorp/yamux/blob/master/spec.md */
#ifndef RYSTRA_YAMUX_H
#define RYSTRA_YAMUX_H

#include "bytes.h"
#include "socket.h"
#include "tls.h"

enum {
  FRAME_HEADER = 12,
  INITIAL_WINDOW = 256 * 1024,
  READ_HEADROOM = 32,         /* left free in front of what is read; HEADROOM of @rystra/bytes */
  OUT_BYTES = 256 * 1024 + FRAME_HEADER, /* gathered for one write */
  EVENT_COLUMNS = 8,
  MAX_EVENTS = 256,           /* of one call of JavaScript */
  MAX_LINKS = 1 << 16,
  MAX_ANSWER = 16,            /* bytes that accept a stream */
  MAX_HEAD = 64 * 1024        /* bytes at the head of a stream */
};

enum frame_type { FRAME_DATA, FRAME_WINDOW, FRAME_PING, FRAME_GO_AWAY };
enum frame_flag { FLAG_SYN = 1, FLAG_ACK = 2, FLAG_FIN = 4, FLAG_RST = 8 };

/* What JavaScript is told. src/link-binding.ts has the same. */
enum event_kind {
  EVENT_BYTES,         /* frames for JavaScript: start and end in the memory of reads, whether it is all of the read; none
                          beyond the limit of memory */
  EVENT_LINK_END,      /* the peer has ended the link */
  EVENT_LINK_LOST,     /* errno; 0: both directions have ended */
  EVENT_WRITABLE,      /* all that was written is sent */
  EVENT_ACKNOWLEDGED,  /* stream */
  EVENT_END_SENT,      /* stream */
  EVENT_END_RECEIVED,  /* stream */
  EVENT_OVER,          /* stream, reason, bytes sent and received, two words each */
  EVENT_VIOLATION,     /* stream, kind */
  EVENT_READY,         /* stream: the peer has accepted it */
  EVENT_ANSWER,        /* stream: the peer has answered otherwise, or more of it */
  /* Of a connection, whose number is in the place of the link. */
  EVENT_CONNECTION_OPEN,
  EVENT_CONNECTION_BYTES,    /* start and end in the memory of its reads */
  EVENT_CONNECTION_END,      /* the peer sends no more */
  EVENT_CONNECTION_WRITABLE, /* all that was written is sent */
  EVENT_CONNECTION_CLOSED    /* errno; 0: both directions have ended */
};

/* Why a stream is over: 0, an errno of its socket, or one of these. */
enum { OVER_RESET = -1, OVER_DATA_AFTER_END = -2 };
enum { VIOLATION_WINDOW, VIOLATION_SYN };

/* What a link shares with JavaScript. */
enum { SHARED_HEARD, SHARED_ROUND_TRIP, SHARED_USED, SHARED_GROWN, SHARED_COLUMNS };

struct connection;

/* What epoll refers to. Memory is freed at the end of a batch of events, some of which may still refer to it. */
struct entry {
  struct entry *reaped_next;
  /* The number of the descriptor, and of the socket that it stands for. */
  int fd;
  uint64_t cookie;
  bool is_link, dead, kept;
  struct connection *place;      /* whose descriptor it has, which has no other number: epoll refers to that */
};

/* Bytes between two sockets that stay in the kernel. */
struct pipe {
  struct pipe *next;
  int in, out;
  size_t size, held;
};

struct link;

struct stream {
  struct entry entry;
  struct link *link;
  struct stream *hash_next, *ring_next, *ring_previous;
  uint32_t id;
  uint32_t send_window;          /* bytes that the peer accepts */
  uint32_t credit, window, owed; /* bytes that the peer may send, the window, consumed and not granted yet */
  uint32_t uncounted;            /* bytes of the inbox whose credit was granted before */
  double granted_at;             /* ms */
  uint64_t sent, received;
  struct bytes inbox;
  bool readable, writable, hung_up, ringed, flows, acknowledged, end_sent, end_received, shut;
  bool broken, closed;           /* EPOLLERR or EPOLLHUP; EPOLLHUP */
  int32_t failed;                /* errno of a write: the socket takes no more, what it sent before is still read */
  bool left;                     /* the link takes no more; what was received still goes to the socket */
  bool awaits, otherwise;        /* the answer that accepts it; another one is in the inbox, for JavaScript */
  uint8_t answer[MAX_ANSWER];
  uint8_t answer_size, answer_at;
};

struct link {
  struct entry entry;
  struct engine *engine;
  int32_t number;
  struct link *work_next, *work_previous;
  bool working;
  struct stream **table;
  uint32_t buckets, count;
  struct stream *ring_first, *ring_last;
  uint32_t ringed;               /* streams in the ring */
  bool fast;                     /* it took the last turn at once, or soon */
  double blocked_at;             /* ms; 0: it is not */
  double rate, rate_since, rate_waited; /* bytes in a ms, 0: not known; ms since then, blocked for so many of them */
  uint64_t rate_bytes;           /* sent since then */
  uint32_t unsent;               /* most bytes that wait in the kernel, 0: no limit */
  struct bytes pending, fed;     /* not sent yet; read before it was taken over */
  struct tls *tls;               /* NULL: the link is plain */
  struct bytes sealed;           /* ciphertext that is not sent yet, in front of what is pending */
  size_t answers;                /* of TLS among it */
  bool tls_ended;                /* the closure alert is sent */
  napi_ref tls_ref;              /* what Node has of it, which OpenSSL refers to */
  uint8_t header[FRAME_HEADER];
  uint32_t have;                 /* bytes of an incomplete header */
  uint32_t left, current;        /* of the payload of the current data frame, and its stream */
  struct stream *target;         /* of it; NULL: JavaScript's, or dropped */
  bool to_script, ends;
  bool readable, hung_up, script_waits, ending, ended, lost, stopped;
  bool closed;                   /* freed with its last stream */
  bool script_first, tell_first; /* JavaScript has the room that was waited for, and is not told yet */
  bool large;                    /* the last frame was: the next is read header first */
  struct pipe *pipe;             /* what is left of a frame that was spliced, behind its header */
  bool several;                  /* pieces for JavaScript in this read */
  int32_t run_start, run_end;    /* frames for JavaScript, not told yet */
  double *shared, limit;
  napi_ref shared_ref;
  uint32_t frame_size, max_window;
};

/* One for each environment. */
struct engine {
  struct environment *at;
  uv_poll_t poll;
  uv_idle_t spin;
  int epoll_fd;
  bool busy, spinning, closed, delivering;
  uint8_t *memory;
  size_t memory_bytes;
  int32_t *rows;
  napi_ref memory_ref, rows_ref, deliver;
  napi_async_context context;
  int32_t *events;
  size_t event_count, event_room;
  uint8_t *out;                  /* gathered for `out_link` */
  size_t out_used;
  struct link *out_link;
  struct link **links;
  int32_t link_room, link_generation;
  struct link *work_first, *work_last;
  struct entry *reaped;
  struct pipe *pipes;            /* empty ones */
  int pipe_count;
  int32_t held;                  /* links and connections, which keep the process */
  struct connection **connections, *connection_first, *connection_last, *reaped_connections, *connection_parked;
  int32_t *free_places;
  int32_t connection_room, free_count, connection_generation, connections_ringed;
  uint8_t *reads;                /* what connections bring, behind each other until it is told */
  size_t reads_bytes, reads_used;
  napi_ref reads_ref;
  struct tls_memory *tls;        /* made with the first link over TLS */
};

/* yamux-engine.c */
struct engine *engine_open(struct environment *at);
void engine_close(struct engine *engine);
struct link *engine_link(struct engine *engine, int32_t number);
int engine_watch(struct engine *engine, struct entry *entry);
/* Closes its descriptor. */
void engine_unwatch(struct engine *engine, struct entry *entry);
/* Frees it at the end of the batch. */
void engine_reap(struct engine *engine, struct entry *entry);
void engine_post(struct link *link, enum event_kind kind, int32_t a, int32_t b, int32_t c);
void engine_post_to(struct engine *engine, int32_t number, enum event_kind kind, int32_t a, int32_t b);
void engine_post_over(struct stream *stream, int32_t reason);
void engine_deliver(struct engine *engine);
void engine_work(struct link *link);
void engine_idle(struct link *link);
/* The process goes on while something is held. */
void engine_hold(struct engine *engine);
void engine_unhold(struct engine *engine);
/* After a call of JavaScript, which may have made work. */
void engine_settle(struct engine *engine);
double engine_now(void);

/* yamux-tls.c */
/* The link is that of a connection of TLS from now on, before it is started. 0, or -errno. */
int link_secure(struct link *link, SSL *ssl, const uint8_t *finished, size_t size, double sent);
void link_unsecure(struct link *link);
/* Sends ciphertext that waits. */
void link_send_sealed(struct link *link);
/* As link_send, encrypted. */
size_t link_seal(struct link *link, const uint8_t *bytes, size_t size);
ssize_t link_unseal(struct link *link, uint8_t *to, size_t room);
/* Whether its closure alert is sent, or waits to be. */
void link_seal_end(struct link *link);

/* yamux-link.c */
/* Sends as much as the kernel takes. */
size_t link_send(struct link *link, const uint8_t *bytes, size_t size, int flags);
struct link *link_open(struct engine *engine, int descriptor, int *error);
int link_start(struct link *link, const uint8_t *bytes, size_t size);
/* Resets its streams, but for those that have left it. */
void link_close(struct link *link, bool reset);
bool link_write(struct link *link, const uint8_t *bytes, size_t size);
void link_end(struct link *link);
void link_event(struct link *link, uint32_t events);
void link_turn(struct link *link);
void link_flush(struct link *link);
void link_lost(struct link *link, int error);
void link_frame(struct link *link, int type, int flags, uint32_t id, uint32_t length);
/* A frame of up to MAX_HEAD bytes, behind what waits. */
void link_data(struct link *link, int flags, uint32_t id, const uint8_t *bytes, size_t size);
/* Where a frame of up to `bytes` may be put, NULL while the link is blocked. */
uint8_t *link_room(struct link *link, size_t bytes);
static inline bool link_blocked(const struct link *link) { return link->pipe != NULL || bytes_left(&link->sealed) > 0 || bytes_left(&link->pending) > 0; }

/* yamux-table.c */
/* Frees a closed link that has no streams. */
void link_release(struct link *link);
struct stream *link_find(const struct link *link, uint32_t id);
int link_add(struct link *link, struct stream *stream);
void link_remove(struct link *link, struct stream *stream);

/* Sends a header that must be followed by its payload. `false`: it was not sent whole, and the rest is pending. */
bool link_header(struct link *link, int type, int flags, uint32_t id, uint32_t length);

/* yamux-rate.c */
/* Most bytes that a socket of TCP takes and has not sent yet; 0: as the system has it. */
int limit_unsent(int fd, uint32_t bytes);
void rate_begin(struct link *link);
void rate_blocked(struct link *link);
/* For how many ms it was. */
double rate_unblocked(struct link *link);
/* It took a turn at once: one that was slow may have become faster, and not be blocked any more. */
void rate_free(struct link *link);
/* Bytes of a stream while others wait, and while none does: less where the link is slow. */
size_t rate_share(const struct link *link, size_t most);
size_t rate_frame(const struct link *link, size_t most);

/* yamux-splice.c */
enum { SPLICE_FROM = 32 * 1024, MAX_FRAME = 1024 * 1024 };
/* Frames a part of what its socket brings. `false`: it has to be read. */
bool splice_out(struct stream *stream, size_t limit);
/* Sends the rest of such a frame. `false`: the link takes no more now. */
bool splice_rest(struct link *link);
/* Passes on payload of the present frame that was not read. `false`: it has to be read. */
bool splice_in(struct link *link);
void pipe_drop(struct engine *engine, struct pipe *pipe);
void pipes_close(struct engine *engine);

/* yamux-parse.c */
/* The payload of the present frame is complete. */
void link_frame_end(struct link *link);
void link_parse(struct link *link, uint8_t *at, const uint8_t *end);

/* yamux-stream.c */
void stream_event(struct stream *stream, uint32_t events);
void stream_ring(struct stream *stream);
void stream_unring(struct stream *stream);
void stream_send(struct stream *stream, size_t limit);
void stream_take(struct stream *stream, const uint8_t *bytes, size_t size);
/* Bytes have gone to the socket. */
void stream_consumed(struct stream *stream, size_t bytes);
void stream_grant(struct stream *stream, uint32_t bytes);
void stream_end(struct stream *stream);
void stream_leave(struct stream *stream);
/* The socket takes what waits for it. */
void stream_drain(struct stream *stream);
/* JavaScript has accepted the answer, which had so many bytes. */
void stream_accept(struct stream *stream, size_t bytes);
/* Resets it for the peer, and tells JavaScript. */
void stream_fail(struct stream *stream, int32_t reason);
/* A write failed: the stream is reset behind what has come from the socket. */
void stream_write_failed(struct stream *stream, int32_t error);
/* Tells JavaScript only. */
void stream_over(struct stream *stream, int32_t reason);
/* Gives its descriptor and memory back. */
void stream_drop(struct stream *stream, bool reset);

#endif
