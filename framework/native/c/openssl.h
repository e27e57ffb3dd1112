/* The OpenSSL of this process, which Node has in its own binary and exports. Nothing of it is named when the addon is loaded:
   where it is another library, or is not exported, TLS stays with Node. */
#ifndef RYSTRA_OPENSSL_H
#define RYSTRA_OPENSSL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ssl_st SSL;
typedef struct bio_st BIO;
typedef struct bio_method_st BIO_METHOD;
typedef struct crypto_ex_data_st CRYPTO_EX_DATA;

/* Of its headers, the same in all versions from 3.0 on. */
enum {
  EX_INDEX_SSL = 0,
  TLS_1_3 = 0x0304,
  SSL_FAILED = 1,
  SSL_WANTS_READ = 2,
  SSL_CLOSED = 6,
  KEY_UPDATE_NOT_REQUESTED = 0,
  BIO_WANTS_MORE = 0x01 | 0x08, /* BIO_FLAGS_READ, BIO_FLAGS_SHOULD_RETRY */
  BIO_RETRIES = 0x0f,           /* all flags of that kind */
  BIO_IS_FLUSHED = 11,          /* BIO_CTRL_FLUSH */
  BIO_HAS_PENDING = 10          /* BIO_CTRL_PENDING */
};

typedef void ex_new(void *parent, void *value, CRYPTO_EX_DATA *data, int index, long number, void *argument);
typedef void ex_free(void *parent, void *value, CRYPTO_EX_DATA *data, int index, long number, void *argument);
typedef int ex_dup(CRYPTO_EX_DATA *to, const CRYPTO_EX_DATA *from, void **value, int index, long number, void *argument);

#define OPENSSL_FUNCTIONS(X)                                                                                           \
  X(unsigned long, OpenSSL_version_num, (void))                                                                        \
  X(int, CRYPTO_get_ex_new_index, (int of, long number, void *argument, ex_new *made, ex_dup *copied, ex_free *freed)) \
  X(int, CRYPTO_set_ex_data, (CRYPTO_EX_DATA * data, int index, void *value))                                          \
  X(int, SSL_up_ref, (SSL * ssl))                                                                                      \
  X(void, SSL_free, (SSL * ssl))                                                                                       \
  X(int, SSL_version, (const SSL *ssl))                                                                                \
  X(int, SSL_is_init_finished, (const SSL *ssl))                                                                       \
  X(int, SSL_get_shutdown, (const SSL *ssl))                                                                           \
  X(size_t, SSL_get_finished, (const SSL *ssl, void *memory, size_t size))                                             \
  X(void, SSL_set_info_callback, (SSL * ssl, void (*callback)(const SSL *, int, int)))                                 \
  X(BIO *, SSL_get_rbio, (const SSL *ssl))                                                                             \
  X(BIO *, SSL_get_wbio, (const SSL *ssl))                                                                             \
  X(void, SSL_set_bio, (SSL * ssl, BIO * in, BIO * out))                                                               \
  X(int, SSL_read, (SSL * ssl, void *memory, int size))                                                                \
  X(int, SSL_write, (SSL * ssl, const void *memory, int size))                                                         \
  X(int, SSL_shutdown, (SSL * ssl))                                                                                    \
  X(int, SSL_key_update, (SSL * ssl, int type))                                                                        \
  X(int, SSL_get_error, (const SSL *ssl, int result))                                                                  \
  X(BIO_METHOD *, BIO_meth_new, (int type, const char *name))                                                          \
  X(int, BIO_meth_set_read, (BIO_METHOD * method, int (*read)(BIO *, char *, int)))                                    \
  X(int, BIO_meth_set_write, (BIO_METHOD * method, int (*write)(BIO *, const char *, int)))                            \
  X(int, BIO_meth_set_ctrl, (BIO_METHOD * method, long (*control)(BIO *, int, long, void *)))                          \
  X(int, BIO_get_new_index, (void))                                                                                    \
  X(BIO *, BIO_new, (const BIO_METHOD *method))                                                                        \
  X(int, BIO_up_ref, (BIO * bio))                                                                                      \
  X(void, BIO_set_data, (BIO * bio, void *data))                                                                       \
  X(void *, BIO_get_data, (BIO * bio))                                                                                 \
  X(void, BIO_set_init, (BIO * bio, int init))                                                                         \
  X(void, BIO_set_flags, (BIO * bio, int flags))                                                                       \
  X(void, BIO_clear_flags, (BIO * bio, int flags))                                                                     \
  X(int, BIO_read, (BIO * bio, void *memory, int size))                                                                \
  X(long, BIO_ctrl, (BIO * bio, int what, long number, void *pointer))                                                 \
  X(uint64_t, BIO_number_written, (BIO * bio))                                                                         \
  X(unsigned long, ERR_peek_error, (void))                                                                             \
  X(const char *, ERR_reason_error_string, (unsigned long error))                                                      \
  X(void, ERR_clear_error, (void))

struct openssl {
#define OPENSSL_FIELD(result, name, arguments) result(*name) arguments;
  OPENSSL_FUNCTIONS(OPENSSL_FIELD)
#undef OPENSSL_FIELD
  BIO_METHOD *method; /* of the BIO of a link */
  int index;          /* of what is known of a connection */
};

/* NULL where it cannot be used. */
const struct openssl *openssl(void);

#endif
