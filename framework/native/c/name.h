/* Addresses of sockets in the columns of a row, see batch.h. */
#ifndef RYSTRA_NAME_H
#define RYSTRA_NAME_H

#include <netinet/in.h>
#include <stdint.h>
#include <sys/socket.h>

union name {
  struct sockaddr any;
  struct sockaddr_in four;
  struct sockaddr_in6 six;
};

/* Its size; 0 for a row without family. */
socklen_t name_of(const int32_t *row, union name *name);

/* Writes family, port, address and scope. A name of another family leaves the row as it is. */
void name_read(const union name *name, int32_t *row);

#endif
