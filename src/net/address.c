/* SPDX-License-Identifier: Apache-2.0 */
#include "net/address.h"

#include <arpa/inet.h>
#include <stdio.h>

bool address_parse(struct str host, uint16_t port, struct address *ret_address)
{
    char text[INET6_ADDRSTRLEN];
    if (host.len == 0 || host.len >= sizeof(text) || memchr(host.ptr, '\0', host.len))
        return false;
    memcpy(text, host.ptr, host.len);
    text[host.len] = '\0';

    struct address address = {0};
    if (inet_pton(AF_INET, text, &address.v4.sin_addr) == 1) {
        address.v4.sin_family = AF_INET;
        address.v4.sin_port = htons(port);
        address.size = sizeof(address.v4);
        *ret_address = address;
        return true;
    }
    if (inet_pton(AF_INET6, text, &address.v6.sin6_addr) == 1) {
        address.v6.sin6_family = AF_INET6;
        address.v6.sin6_port = htons(port);
        address.size = sizeof(address.v6);
        *ret_address = address;
        return true;
    }
    return false;
}

/* Every access-log line has one, so not by printf. */
static struct str format_v4(const struct sockaddr_in *v4, char *out)
{
    uint32_t host = ntohl(v4->sin_addr.s_addr);
    struct buf text;
    buf_init_fixed(&text, out, ADDRESS_TEXT_MAX);
    for (int shift = 24; shift >= 0; shift -= 8) {
        buf_add_u64(&text, host >> shift & 255);
        buf_add_char(&text, shift > 0 ? '.' : ':');
    }
    buf_add_u64(&text, ntohs(v4->sin_port));
    return buf_str(&text);
}

struct str address_format(const struct address *address, char *out)
{
    char host[INET6_ADDRSTRLEN] = "?";
    if (address->any.sa_family != AF_INET6)
        return format_v4(&address->v4, out);
    inet_ntop(AF_INET6, &address->v6.sin6_addr, host, sizeof(host));
    int len = snprintf(out, ADDRESS_TEXT_MAX, "[%s]:%u", host, ntohs(address->v6.sin6_port));
    return (struct str){out, (size_t)len};
}

struct str address_network(const struct address *address)
{
    if (address->any.sa_family != AF_INET6)
        return (struct str){(const char *)&address->v4.sin_addr, sizeof(address->v4.sin_addr)};
    const char *bytes = (const char *)&address->v6.sin6_addr;
    if (IN6_IS_ADDR_V4MAPPED(&address->v6.sin6_addr))
        return (struct str){bytes + 12, 4};
    return (struct str){bytes, 8};
}

uint16_t address_port(const struct address *address)
{
    return ntohs(address->any.sa_family == AF_INET6 ? address->v6.sin6_port : address->v4.sin_port);
}

bool address_is_loopback(const struct address *address)
{
    if (address->any.sa_family == AF_INET)
        return (ntohl(address->v4.sin_addr.s_addr) >> 24) == 127;
    const struct in6_addr *v6 = &address->v6.sin6_addr;
    return IN6_IS_ADDR_LOOPBACK(v6) || (IN6_IS_ADDR_V4MAPPED(v6) && v6->s6_addr[12] == 127);
}
