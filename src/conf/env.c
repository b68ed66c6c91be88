/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/env.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#define READ_STEP ((size_t)65536)

static const char *process_variable(void *context, const char *name)
{
    (void)context;
    return getenv(name);
}

/* Paths are views; system calls want a terminator. */
static bool copy_path(struct str path, char out[PATH_MAX])
{
    if (path.len == 0 || path.len >= PATH_MAX || memchr(path.ptr, '\0', path.len))
        return false;
    memcpy(out, path.ptr, path.len);
    out[path.len] = '\0';
    return true;
}

static enum err read_all(int fd, struct buf *out)
{
    for (;;) {
        size_t step = MIN(READ_STEP, out->max - out->len + 1);
        char chunk[READ_STEP];
        ssize_t got = read(fd, chunk, step);
        if (got < 0 && errno == EINTR)
            continue;
        if (got > 0)
            buf_add(out, (struct str){chunk, (size_t)got});
        explicit_bzero(chunk, step); /* it may be a key */
        if (got <= 0)
            return got == 0 ? ERR_OK : ERR_SYSTEM;
        if (!buf_ok(out))
            return ERR_LIMIT;
    }
}

static enum err process_read_file(void *context, struct str path, struct buf *out)
{
    (void)context;
    char name[PATH_MAX];
    if (!copy_path(path, name))
        return ERR_NOT_FOUND;
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR ? ERR_NOT_FOUND : ERR_SYSTEM;
    enum err err = read_all(fd, out);
    close(fd);
    return err;
}

static bool process_is_readable(void *context, struct str path)
{
    (void)context;
    char name[PATH_MAX];
    return copy_path(path, name) && access(name, R_OK) == 0;
}

const struct config_env config_env_process = {
    .variable = process_variable,
    .read_file = process_read_file,
    .is_readable = process_is_readable,
};

const char *config_env_reason(enum err err)
{
    switch (err) {
    case ERR_NOT_FOUND:
        return "no such file";
    case ERR_LIMIT:
        return "too large";
    default:
        return "not readable";
    }
}
