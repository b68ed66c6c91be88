/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/endpoint.h"

#include <arpa/inet.h>
#include <stdio.h>

#define HOST_MAX 253 /* bytes, RFC 1035 */
#define PATH_MAX_BYTES 1024

/* The pieces of a URL, views into it. */
struct pieces {
    bool tls;
    struct str host, port, path;
    bool is_bracketed;
};

static struct str cut(struct str s, size_t len)
{
    return (struct str){s.ptr, len};
}

/* Offset of the first byte of `s` that is in `set`, or its length. */
static size_t find_any(struct str s, const char *set)
{
    size_t at = 0;
    while (at < s.len && (s.ptr[at] == '\0' || !strchr(set, s.ptr[at])))
        at++;
    return at;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_visible(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.ptr[i] <= ' ' || (unsigned char)s.ptr[i] >= 0x7f)
            return false;
    return true;
}

static const char *split_scheme(struct str *io_text, bool *ret_tls)
{
    static const struct str http = {"http://", 7}, https = {"https://", 8};
    bool tls = str_eq_nocase(cut(*io_text, MIN(io_text->len, https.len)), https);
    if (!tls && !str_eq_nocase(cut(*io_text, MIN(io_text->len, http.len)), http))
        return "has to begin with http:// or https://";
    *io_text = str_from_offset(*io_text, tls ? https.len : http.len);
    *ret_tls = tls;
    return NULL;
}

/* "host", "host:port", "[v6]" or "[v6]:port". */
static const char *split_authority(struct str text, struct pieces *pieces)
{
    size_t end;
    pieces->is_bracketed = str_starts(text, STR("["));
    if (pieces->is_bracketed) {
        end = find_any(text, "]");
        if (end == text.len)
            return "has '[' without ']'";
        pieces->host = cut(str_from_offset(text, 1), end - 1);
        end++;
    } else {
        end = find_any(text, ":");
        pieces->host = cut(text, end);
    }
    pieces->port = str_from_offset(text, end);
    if (pieces->port.len == 0)
        return NULL;
    if (pieces->port.ptr[0] != ':')
        return "has something between ']' and the port";
    pieces->port = str_from_offset(pieces->port, 1);
    if (find_any(pieces->port, ":") < pieces->port.len)
        return "has an IPv6 address without brackets, or two ports";
    return pieces->port.len == 0 ? "has ':' without a port" : NULL;
}

static const char *split_url(struct str text, struct pieces *pieces)
{
    if (!is_visible(text))
        return "has spaces, control characters or bytes beyond ASCII";
    const char *reason = split_scheme(&text, &pieces->tls);
    if (reason)
        return reason;
    size_t end = find_any(text, "/?#");
    struct str authority = cut(text, end), rest = str_from_offset(text, end);
    /* The last '@' counts for browsers, any is one too many here: also when a password holds a '/'. */
    if (find_any(text, "@") < text.len)
        return "has '@': user name and password do not belong in an endpoint, use api_key";
    if (find_any(rest, "?#") < rest.len)
        return "has a query or a fragment; an endpoint ends with its path";
    pieces->path = rest;
    return split_authority(authority, pieces);
}

static bool is_numeric(struct str host, int family)
{
    char text[HOST_MAX + 1], address[sizeof(struct in6_addr)];
    if (host.len > HOST_MAX || memchr(host.ptr, '\0', host.len))
        return false;
    memcpy(text, host.ptr, host.len);
    text[host.len] = '\0';
    return inet_pton(family, text, address) == 1;
}

static const char *check_name(struct str host)
{
    bool is_digits = true;
    if (host.len == 0)
        return "has no host";
    if (host.len > HOST_MAX)
        return "has a host of more than 253 bytes";
    for (size_t i = 0; i < host.len; i++) {
        char c = host.ptr[i], low = (char)(c | 0x20);
        bool is_good = (low >= 'a' && low <= 'z') || is_digit(c) || c == '-' || c == '_' || c == '.';
        if (!is_good || (c == '.' && (i == 0 || host.ptr[i - 1] == '.')))
            return "has a host that is neither a name nor a numeric address";
        is_digits = is_digits && (is_digit(c) || c == '.');
    }
    return is_digits && !is_numeric(host, AF_INET) ? "has an IPv4 address that is none" : NULL;
}

static const char *check_host(const struct pieces *pieces)
{
    if (!pieces->is_bracketed)
        return check_name(pieces->host);
    return is_numeric(pieces->host, AF_INET6) ? NULL : "has no IPv6 address between the brackets";
}

static const char *parse_port(struct str text, uint64_t least, uint16_t *ret_port)
{
    uint64_t port;
    if (!str_to_u64(text, &port) || port < least || port > UINT16_MAX)
        return least == 0 ? "has a port that is not in 0..65535" : "has a port that is not in 1..65535";
    *ret_port = (uint16_t)port;
    return NULL;
}

static const char *check_path(struct str path)
{
    if (path.len > PATH_MAX_BYTES)
        return "has a path of more than 1024 bytes";
    while (path.len > 0) {
        path = str_from_offset(path, 1);
        struct str segment = cut(path, find_any(path, "/"));
        if (segment.len == 0)
            return "has an empty path segment ('//')";
        if (str_eq(segment, STR(".")) || str_eq(segment, STR("..")))
            return "has '.' or '..' as a path segment";
        if (find_any(segment, "\"\\<>^`{|}") < segment.len)
            return "has a character in its path that a URL cannot hold";
        path = str_from_offset(path, segment.len);
    }
    return NULL;
}

static bool ends_with(struct str s, struct str tail)
{
    return s.len >= tail.len && str_eq(str_from_offset(s, s.len - tail.len), tail);
}

/* "/v1", "/v4", "/v1beta": what API roots end with. Length of that last segment, or 0. */
static size_t version_segment(struct str path)
{
    size_t at = path.len;
    while (at > 0 && path.ptr[at - 1] != '/')
        at--;
    if (at == 0 || path.len - at < 2 || path.ptr[at] != 'v' || !is_digit(path.ptr[at + 1]))
        return 0;
    return path.len - at + 1;
}

/* Bytes at the end of `path` that already belong to the base path. With `ret_is_complete` the path is the
 * whole one; otherwise the rest of `base` follows. */
static size_t base_overlap(struct str path, struct str base, bool *ret_is_complete)
{
    *ret_is_complete = true;
    if (ends_with(path, base))
        return base.len;
    size_t version = version_segment(path);
    if (version > 0)
        return version;
    *ret_is_complete = false;
    for (size_t len = base.len - 1; len > 0; len--)
        if (base.ptr[len] == '/' && ends_with(path, cut(base, len)))
            return len;
    return 0;
}

static bool join_path(struct str path, struct str base, struct arena *arena, struct endpoint *out)
{
    bool is_complete;
    size_t overlap = base_overlap(path, base, &is_complete);
    struct str prefix = cut(path, path.len - overlap);
    struct str tail = is_complete ? str_from_offset(path, prefix.len) : base;
    char *joined = arena_take(arena, prefix.len + tail.len + 1);
    if (!joined)
        return false;
    snprintf(joined, prefix.len + tail.len + 1, STR_FMT STR_FMT, STR_ARG(prefix), STR_ARG(tail));
    out->base_path = (struct str){joined, prefix.len + tail.len};
    out->prefix = cut(out->base_path, prefix.len);
    return true;
}

static struct str copy_lower(struct arena *arena, struct str text)
{
    struct str copy = arena_dup(arena, text);
    for (size_t i = 0; copy.ptr && i < copy.len; i++)
        if (copy.ptr[i] >= 'A' && copy.ptr[i] <= 'Z')
            ((char *)copy.ptr)[i] = (char)(copy.ptr[i] | 0x20);
    return copy;
}

static bool write_authority(const struct pieces *pieces, struct arena *arena, struct endpoint *out)
{
    char text[HOST_MAX + sizeof("[]:65535")];
    int len = snprintf(text, sizeof(text), pieces->is_bracketed ? "[%s]" : "%s", out->host.ptr);
    if (out->port != (out->tls ? 443 : 80))
        len += snprintf(text + len, sizeof(text) - (size_t)len, ":%u", (unsigned)out->port);
    out->authority = arena_dup(arena, (struct str){text, (size_t)len});
    return out->authority.ptr != NULL;
}

enum err endpoint_parse(struct str text, struct str base_path, struct arena *arena,
                        struct endpoint *ret_endpoint, const char **reterr_reason)
{
    ASSERT(base_path.len > 1 && base_path.ptr[0] == '/');
    struct pieces pieces = {0};
    struct endpoint endpoint = {0};
    const char *reason = split_url(text, &pieces);
    while (pieces.path.len > 0 && pieces.path.ptr[pieces.path.len - 1] == '/')
        pieces.path.len--;
    endpoint.tls = pieces.tls;
    endpoint.port = pieces.tls ? 443 : 80;
    if (!reason)
        reason = check_host(&pieces);
    if (!reason && pieces.port.len > 0)
        reason = parse_port(pieces.port, 1, &endpoint.port);
    if (!reason)
        reason = check_path(pieces.path);
    if (reason) {
        *reterr_reason = reason;
        return ERR_INVALID;
    }
    endpoint.host = copy_lower(arena, pieces.host);
    if (!endpoint.host.ptr || !write_authority(&pieces, arena, &endpoint) ||
        !join_path(pieces.path, base_path, arena, &endpoint))
        return ERR_NO_MEMORY;
    *ret_endpoint = endpoint;
    return ERR_OK;
}

enum err listen_address_parse(struct str text, struct arena *arena, struct str *ret_host, uint16_t *ret_port,
                              const char **reterr_reason)
{
    struct pieces pieces = {0};
    uint16_t port = 0;
    const char *reason = split_authority(text, &pieces);
    if (!reason && pieces.port.len == 0)
        reason = "has no port";
    if (!reason && !is_numeric(pieces.host, pieces.is_bracketed ? AF_INET6 : AF_INET))
        reason = "is not a numeric address and a port, as 127.0.0.1:6034 or [::1]:6034";
    if (!reason)
        reason = parse_port(pieces.port, 0, &port);
    if (reason) {
        *reterr_reason = reason;
        return ERR_INVALID;
    }
    struct str host = arena_dup(arena, pieces.host);
    if (!host.ptr)
        return ERR_NO_MEMORY;
    *ret_host = host;
    *ret_port = port;
    return ERR_OK;
}
