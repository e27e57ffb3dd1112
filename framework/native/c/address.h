/* Addresses as text, and what the functions of the addon share about their arguments and results. */
#ifndef RYSTRA_ADDRESS_H
#define RYSTRA_ADDRESS_H

#define NAPI_VERSION 8
#include <node_api.h>
#include <stddef.h>
#include <stdint.h>

/* The memory of an Int32Array of at least `count` numbers, or NULL. */
int32_t *rows_of(napi_env env, napi_value value, size_t count);

/* Throws. */
napi_value invalid(napi_env env);

napi_value number(napi_env env, int32_t value);

struct function {
  const char *name;
  napi_callback call;
};

void define_functions(napi_env env, napi_value exports, const struct function *functions, size_t count);

/* parse(text, row): writes family, address and scope. Whether the text is an address. */
napi_value address_parse(napi_env env, napi_callback_info info);

/* format(rows, at): the address of a row as text, with the zone of a link-local one. */
napi_value address_format(napi_env env, napi_callback_info info);

#endif
