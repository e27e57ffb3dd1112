/* The streams of a link by id. */
#define _GNU_SOURCE
#include "yamux.h"

#include <errno.h>
#include <stdlib.h>

enum { MIN_BUCKETS = 16 };

static uint32_t bucket_of(const struct link *link, uint32_t id) { return (id >> 1) & (link->buckets - 1); }

struct stream *link_find(const struct link *link, uint32_t id) {
  if (link->count == 0) return NULL;
  struct stream *stream = link->table[bucket_of(link, id)];
  while (stream != NULL && stream->id != id) stream = stream->hash_next;
  return stream;
}

static bool grow_table(struct link *link) {
  struct stream **before = link->table;
  const uint32_t buckets = link->buckets;
  struct stream **table = calloc(buckets == 0 ? MIN_BUCKETS : (size_t)buckets * 2, sizeof *table);
  if (table == NULL) return false;
  link->table = table;
  link->buckets = buckets == 0 ? MIN_BUCKETS : buckets * 2;
  for (uint32_t i = 0; i < buckets; i++)
    for (struct stream *stream = before[i], *next; stream != NULL; stream = next) {
      next = stream->hash_next;
      struct stream **first = &table[bucket_of(link, stream->id)];
      stream->hash_next = *first;
      *first = stream;
    }
  free(before);
  return true;
}

int link_add(struct link *link, struct stream *stream) {
  if (link->count >= link->buckets && !grow_table(link)) return -ENOMEM;
  struct stream **first = &link->table[bucket_of(link, stream->id)];
  stream->hash_next = *first;
  *first = stream;
  link->count++;
  return 0;
}

void link_release(struct link *link) {
  struct engine *engine = link->engine;
  free(link->table);
  link->table = NULL;
  link->buckets = 0;
  napi_delete_reference(engine->at->env, link->shared_ref);
  engine->links[link->number & (MAX_LINKS - 1)] = NULL;
  engine_reap(engine, &link->entry);
  engine_unhold(engine);
}

void link_remove(struct link *link, struct stream *stream) {
  struct stream **at = &link->table[bucket_of(link, stream->id)];
  while (*at != stream) at = &(*at)->hash_next;
  *at = stream->hash_next;
  link->count--;
  if (link->target == stream) link->target = NULL;
  if (link->closed && link->count == 0) link_release(link);
}
