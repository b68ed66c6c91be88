/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/providers.h"

#include "conf/suggest.h"

#define LITERAL(text)                                                                                        \
    {                                                                                                        \
        (text), sizeof(text) - 1                                                                             \
    }

const struct provider providers[] = {
#define SERVICE(name_, endpoint, variable, base, health)                                                     \
    {.name = LITERAL(#name_),                                                                                \
     .default_endpoint = LITERAL(endpoint),                                                                  \
     .key_variable = LITERAL(variable),                                                                      \
     .base_path = LITERAL(base),                                                                             \
     .health_path = LITERAL(health)},
#define ENGINE(name_, port, base, health)                                                                    \
    {.name = LITERAL(#name_),                                                                                \
     .default_endpoint = LITERAL("http://127.0.0.1:" #port),                                                 \
     .key_variable = LITERAL(""),                                                                            \
     .base_path = LITERAL(base),                                                                             \
     .health_path = LITERAL(health),                                                                         \
     .local_port = (port)},
#include "conf/providers.def"
};
const size_t provider_count = ARRAY_LEN(providers);

const struct provider *provider_find(struct str name)
{
    for (size_t i = 0; i < provider_count; i++)
        if (str_eq(providers[i].name, name))
            return &providers[i];
    return NULL;
}

struct str provider_suggest(struct str name)
{
    struct suggestion suggestion;
    suggestion_init(&suggestion, name);
    for (size_t i = 0; i < provider_count; i++)
        suggestion_offer(&suggestion, providers[i].name);
    return suggestion.best;
}
