/* SPDX-License-Identifier: Apache-2.0 */
#include "net/listener.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <unistd.h>

#define ACCEPTS_PER_TURN 64 /* a connection flood must not starve the streams of this loop */
#define ACCEPT_REST (100 * USEC_PER_MSEC)
#define BACKLOG 4096

static int listener_socket(const struct address *address, bool share_port)
{
    int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int on = 1;
    if (fd < 0)
        return -1;
    /* Accepted sockets inherit TCP_NODELAY. */
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0 ||
        (share_port && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) != 0) ||
        bind(fd, &address->any, address->size) != 0 || listen(fd, BACKLOG) != 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

enum err listener_reserve(struct address *io_address, int *ret_fd)
{
    /* Without SO_REUSEPORT first: the kernel then refuses an address that anybody listens on, us included. */
    int probe = listener_socket(io_address, false);
    if (probe < 0)
        return errno == EADDRINUSE ? ERR_BUSY : ERR_SYSTEM;
    getsockname(probe, &io_address->any, &io_address->size);
    close(probe);
    int fd = listener_socket(io_address, true);
    if (fd < 0)
        return errno == EADDRINUSE ? ERR_BUSY : ERR_SYSTEM;
    *ret_fd = fd;
    return ERR_OK;
}

static void listener_on_poll(uv_poll_t *poll, int status, int events)
{
    struct listener *listener = poll->data;
    (void)events;
    if (status < 0)
        return;
    listener->loop->now = clock_monotonic();
    for (int i = 0; i < ACCEPTS_PER_TURN && !listener->is_closing; i++) {
        struct address peer = {.size = ADDRESS_SIZE_MAX};
        int fd = accept4(listener->fd, &peer.any, &peer.size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            listener->on_accept(listener, fd, &peer);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
            uv_poll_stop(&listener->poll);
            timer_start(listener->loop, &listener->pause, ACCEPT_REST);
        }
        if (errno != EINTR && errno != ECONNABORTED)
            return;
    }
}

static void listener_on_pause_over(struct wheel_timer *timer)
{
    struct listener *listener = CONTAINER_OF(timer, struct listener, pause);
    uv_poll_start(&listener->poll, UV_READABLE, listener_on_poll);
}

enum err listener_open(struct listener *listener, struct loop *loop, const struct address *address,
                       int reserved, void (*on_accept)(struct listener *, int, const struct address *))
{
    int fd = reserved >= 0 ? reserved : listener_socket(address, true);
    if (fd < 0)
        return errno == EADDRINUSE ? ERR_BUSY : ERR_SYSTEM;
    *listener = (struct listener){.loop = loop, .fd = fd, .on_accept = on_accept};
    wheel_timer_init(&listener->pause, listener_on_pause_over);
    if (uv_poll_init(&loop->uv, &listener->poll, fd) != 0) {
        close(fd);
        return ERR_SYSTEM;
    }
    listener->poll.data = listener;
    uv_poll_start(&listener->poll, UV_READABLE, listener_on_poll);
    return ERR_OK;
}

static void listener_on_uv_closed(uv_handle_t *handle)
{
    struct listener *listener = handle->data;
    if (listener->on_closed)
        listener->on_closed(listener);
}

void listener_close(struct listener *listener, void (*on_closed)(struct listener *))
{
    if (listener->is_closing)
        return;
    listener->is_closing = true;
    listener->on_closed = on_closed;
    timer_stop(listener->loop, &listener->pause);
    uv_close((uv_handle_t *)&listener->poll, listener_on_uv_closed);
    close(listener->fd);
}
