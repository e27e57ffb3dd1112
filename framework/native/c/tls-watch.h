/* Which connection of OpenSSL a TLS socket of Node has. Node does not say; but it makes it while the socket is made. */
#ifndef RYSTRA_TLS_WATCH_H
#define RYSTRA_TLS_WATCH_H

#include "openssl.h"

/* Known to OpenSSL, until the connection is freed, and to JavaScript. */
struct watched {
  SSL *ssl; /* NULL: it was freed */
  int references;
};

int tls_watch_index(const struct openssl *with);
/* Until tls_watch_end, a connection that this thread makes is noticed. `false`: it cannot be. */
bool tls_watch_begin(void);
/* The one that was made; NULL for none, or several. */
struct watched *tls_watch_end(void);
/* JavaScript knows it no longer. */
void tls_watch_release(struct watched *watched);

#endif
