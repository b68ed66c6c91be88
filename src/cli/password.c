/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/password.h"

#include "base/str.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <termios.h>
#include <unistd.h>

static volatile sig_atomic_t was_interrupted;

static void on_interrupt(int number)
{
    (void)number;
    was_interrupted = 1;
}

static void show(int fd, struct str text)
{
    ssize_t written = write(fd, text.ptr, text.len);
    (void)written; /* a prompt that cannot be seen does not keep anybody from typing */
}

/* A signal that comes before the wait has begun ends it too: it is only let through while waiting. */
static bool wait_readable(int fd, const sigset_t *while_waiting)
{
    struct pollfd wanted = {.fd = fd, .events = POLLIN};
    return !was_interrupted && ppoll(&wanted, 1, NULL, while_waiting) == 1;
}

/* A line, byte by byte: nothing of it stays in a buffer that nobody wipes. */
static enum err read_line(int fd, const sigset_t *while_waiting, char *io_text, size_t size)
{
    size_t len = 0;
    char byte;
    while (wait_readable(fd, while_waiting) && read(fd, &byte, 1) == 1) {
        if (byte == '\n') {
            io_text[MIN(len, size - 1)] = '\0';
            return len < size ? ERR_OK : ERR_LIMIT;
        }
        if (len < size)
            io_text[len] = byte;
        len++;
    }
    return ERR_CLOSED;
}

static enum err read_hidden(int fd, const sigset_t *while_waiting, char *io_text, size_t size)
{
    struct termios shown, hidden;
    if (tcgetattr(fd, &shown) != 0)
        return ERR_SYSTEM;
    hidden = shown;
    hidden.c_lflag &= ~(tcflag_t)ECHO;
    if (tcsetattr(fd, TCSAFLUSH, &hidden) != 0)
        return ERR_SYSTEM;
    show(fd, STR("Password: "));
    enum err err = read_line(fd, while_waiting, io_text, size);
    tcsetattr(fd, TCSAFLUSH, &shown);
    show(fd, STR("\n"));
    return err;
}

enum err password_ask(char *io_text, size_t size)
{
    struct sigaction ours = {.sa_handler = on_interrupt}, before;
    sigset_t interrupt, mask_before;
    int fd = open("/dev/tty", O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return ERR_SYSTEM;
    sigemptyset(&interrupt);
    sigaddset(&interrupt, SIGINT);
    sigprocmask(SIG_BLOCK, &interrupt, &mask_before);
    sigaction(SIGINT, &ours, &before);
    enum err err = read_hidden(fd, &mask_before, io_text, size);
    sigprocmask(SIG_SETMASK, &mask_before, NULL);
    sigaction(SIGINT, &before, NULL);
    close(fd);
    if (was_interrupted)
        raise(SIGINT);
    return err;
}
