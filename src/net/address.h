/* SPDX-License-Identifier: Apache-2.0 */
/* Numeric socket addresses. */
#pragma once

#include "base/buf.h"
#include "base/err.h"

#include <netinet/in.h>
#include <sys/socket.h>

/* IPv4 or IPv6; a quarter of a sockaddr_storage, because every connection and request keeps one. */
struct address {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    };
    socklen_t size;
};

#define ADDRESS_SIZE_MAX ((socklen_t)sizeof(struct sockaddr_in6))

#define ADDRESS_TEXT_MAX 64

/* From a numeric IPv4 or IPv6 address (no brackets). False when `host` is a name. */
MUST_USE bool address_parse(struct str host, uint16_t port, struct address *ret_address);

/* "127.0.0.1:80", "[::1]:80" into `out` of ADDRESS_TEXT_MAX bytes; a view of it. */
struct str address_format(const struct address *address, char *out);

/* The bytes that stand for who is there: an IPv4 address, or the /64 of an IPv6 one, which one host has whole. */
struct str address_network(const struct address *address);

uint16_t address_port(const struct address *address);

/* 127.0.0.0/8, ::1 and IPv4-mapped loopback. */
bool address_is_loopback(const struct address *address);
