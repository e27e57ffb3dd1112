/* TLS of a link: the connection of OpenSSL that Node has made, with this link in the place of Node's socket. */
#ifndef RYSTRA_TLS_H
#define RYSTRA_TLS_H

#include "bytes.h"
#include "openssl.h"

#include <sys/types.h>

enum {
  TLS_IN = 256 * 1024,        /* ciphertext of one read */
  TLS_READS = 4,              /* of one call that bring nothing but messages of TLS */
  TLS_ANSWERS = 16 * 1024,    /* of TLS that a peer may cause and not read: some 600 changes of keys */
  TLS_RECORD = 16384 + 256 + 5,
  TLS_MESSAGES = TLS_RECORD,  /* ciphertext of one call that brings nothing but messages: 600 changes of keys, some 15 ms */
  TLS_PLAIN = 16384,          /* plaintext of a record */
  TLS_REKEY = 1 << 23         /* records of a key: a third of what RFC 8446, section 5.5, allows */
};

/* Shared by the links of a thread, and empty between two calls. */
struct tls_memory {
  uint8_t in[TLS_IN];
  uint8_t *out;
  size_t out_used, out_room;
  uint64_t rekey;            /* records of a key; 0: TLS_REKEY */
};

struct tls {
  SSL *ssl;
  BIO *in, *out;             /* Node's, which it gets back */
  struct tls_memory *memory;
  const uint8_t *at, *end;   /* ciphertext that may be read now */
  size_t allowed;            /* of it, before it brings plaintext */
  struct bytes rest;         /* that was read before */
  bool active;               /* OpenSSL is called from here, and not from Node */
  bool closed, failed, full; /* the peer has closed it; it cannot go on; the last read may have left some */
  bool waits;                /* nothing can be written before the rest of a message of the peer is read */
  uint64_t records;          /* written under the present key */
  const char *reason;        /* why it failed */
};

BIO_METHOD *tls_method(const struct openssl *with);

/* Takes a connection over. `finished`: what it has sent to end the handshake; `sent`: ciphertext that has gone to the socket. NULL:
   it is another one, or not quiet. */
struct tls *tls_open(SSL *ssl, struct tls_memory *memory, const uint8_t *finished, size_t size, double sent);
/* Gives it back to Node, which only frees it. */
void tls_close(struct tls *tls);
/* As recv: plaintext, 0 at the end, -1 and errno; EPROTO where TLS has failed. What there is to answer is in tls->memory. */
ssize_t tls_read(struct tls *tls, int fd, uint8_t *to, size_t room);
/* Encrypts into tls->memory. Less than `size`: it waits for the peer, or has failed. */
size_t tls_write(struct tls *tls, const uint8_t *bytes, size_t size);
/* The closure alert. */
void tls_end(struct tls *tls);

#endif
