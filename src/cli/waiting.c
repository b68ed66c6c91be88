/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/waiting.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

static int interrupts = -1; /* signalfd; one a process, as signals are */

enum err waiting_start(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    interrupts = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (interrupts < 0 || sigprocmask(SIG_BLOCK, &set, NULL) != 0)
        return ERR_SYSTEM;
    return ERR_OK;
}

bool waiting_interrupted(void)
{
    struct signalfd_siginfo info;
    bool is_interrupted = false;
    while (interrupts >= 0 && read(interrupts, &info, sizeof(info)) == (ssize_t)sizeof(info))
        is_interrupted = true;
    return is_interrupted;
}

enum waited waiting_for(int fd, short events, int timeout)
{
    struct pollfd fds[] = {{.fd = fd, .events = events}, {.fd = interrupts, .events = POLLIN}};
    int ready = poll(fds, 2, timeout);
    if (ready == 0)
        return WAITED_TIMEOUT;
    if (ready < 0)
        return errno == EINTR ? WAITED_SIGNAL : WAITED_READY; /* the reader meets the error itself */
    if (fds[1].revents && waiting_interrupted())
        return WAITED_INTERRUPT;
    return fds[0].revents ? WAITED_READY : WAITED_SIGNAL;
}
