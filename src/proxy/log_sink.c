/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/log_sink.h"

#include "base/list.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#define WAITING_MAX ((size_t)64 << 20)
#define SPARES_MAX 8u /* written buffers kept for the next lines, their memory being warm */

struct batch {
    struct list node;
    struct buf lines;
};

struct log_sink {
    char *path; /* NULL: standard output */
    int fd;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct list batches; /* to be written */
    struct list spares;  /* empty */
    unsigned spare_count;
    size_t waiting; /* bytes */
    bool must_reopen, is_ending;
};

static int open_file(const char *path)
{
    return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
}

static void write_all(struct log_sink *sink, struct str bytes)
{
    while (bytes.len > 0) {
        ssize_t n = write(sink->fd, bytes.ptr, bytes.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            log_warn("access log: cannot write: %s", strerror(errno));
            return;
        }
        bytes = str_from_offset(bytes, (size_t)n);
    }
}

static void sink_reopen(struct log_sink *sink)
{
    int fd = sink->path ? open_file(sink->path) : -1;
    if (fd < 0)
        return;
    close(sink->fd);
    sink->fd = fd;
}

static void batch_free(struct batch *batch)
{
    buf_free(&batch->lines);
    free(batch);
}

/* With the lock held. */
static void sink_spare(struct log_sink *sink, struct batch *batch)
{
    if (sink->spare_count == SPARES_MAX) {
        batch_free(batch);
        return;
    }
    buf_clear(&batch->lines);
    list_push_back(&sink->spares, &batch->node);
    sink->spare_count++;
}

/* With the lock held. NULL when memory is short. */
static struct batch *sink_take_spare(struct log_sink *sink)
{
    struct list *node = list_pop_front(&sink->spares);
    if (!node)
        return calloc(1, sizeof(struct batch));
    sink->spare_count--;
    return LIST_ITEM(node, struct batch, node);
}

static void *sink_run(void *argument)
{
    struct log_sink *sink = argument;
    pthread_mutex_lock(&sink->lock);
    while (!sink->is_ending || !list_is_empty(&sink->batches)) {
        if (sink->must_reopen) {
            sink->must_reopen = false;
            sink_reopen(sink);
        }
        struct list *node = list_pop_front(&sink->batches);
        if (!node) {
            pthread_cond_wait(&sink->wake, &sink->lock);
            continue;
        }
        pthread_mutex_unlock(&sink->lock);
        struct batch *batch = LIST_ITEM(node, struct batch, node);
        size_t len = batch->lines.len;
        write_all(sink, buf_str(&batch->lines));
        pthread_mutex_lock(&sink->lock);
        sink->waiting -= len;
        sink_spare(sink, batch);
    }
    pthread_mutex_unlock(&sink->lock);
    return NULL;
}

static void sink_free(struct log_sink *sink)
{
    for (struct list *node; (node = list_pop_front(&sink->spares));)
        batch_free(LIST_ITEM(node, struct batch, node));
    if (sink->path && sink->fd >= 0)
        close(sink->fd);
    free(sink->path);
    free(sink);
}

enum err log_sink_open(struct str target, struct log_sink **ret_sink)
{
    if (str_eq(target, STR("off"))) {
        *ret_sink = NULL;
        return ERR_OK;
    }
    struct log_sink *sink = calloc(1, sizeof(*sink));
    if (!sink)
        return ERR_NO_MEMORY;
    list_init(&sink->batches);
    list_init(&sink->spares);
    sink->fd = STDOUT_FILENO;
    if (!str_eq(target, STR("stdout"))) {
        sink->path = strndup(target.ptr, target.len);
        sink->fd = sink->path ? open_file(sink->path) : -1;
    }
    pthread_mutex_init(&sink->lock, NULL);
    pthread_cond_init(&sink->wake, NULL);
    if (sink->fd < 0 || pthread_create(&sink->thread, NULL, sink_run, sink) != 0) {
        sink_free(sink);
        return ERR_SYSTEM;
    }
    *ret_sink = sink;
    return ERR_OK;
}

bool log_sink_write(struct log_sink *sink, struct buf *io_lines)
{
    pthread_mutex_lock(&sink->lock);
    bool has_room = sink->waiting + io_lines->len <= WAITING_MAX;
    struct batch *batch = has_room ? sink_take_spare(sink) : NULL;
    if (batch) {
        struct buf empty = batch->lines;
        batch->lines = *io_lines;
        *io_lines = empty;
        io_lines->max = batch->lines.max;
        sink->waiting += batch->lines.len;
        list_push_back(&sink->batches, &batch->node);
        pthread_cond_signal(&sink->wake);
    }
    pthread_mutex_unlock(&sink->lock);
    if (!batch)
        buf_clear(io_lines);
    return batch != NULL;
}

void log_sink_reopen(struct log_sink *sink)
{
    if (!sink)
        return;
    pthread_mutex_lock(&sink->lock);
    sink->must_reopen = true;
    pthread_cond_signal(&sink->wake);
    pthread_mutex_unlock(&sink->lock);
}

void log_sink_close(struct log_sink *sink)
{
    if (!sink)
        return;
    pthread_mutex_lock(&sink->lock);
    sink->is_ending = true;
    pthread_cond_signal(&sink->wake);
    pthread_mutex_unlock(&sink->lock);
    pthread_join(sink->thread, NULL);
    pthread_mutex_destroy(&sink->lock);
    pthread_cond_destroy(&sink->wake);
    sink_free(sink);
}
