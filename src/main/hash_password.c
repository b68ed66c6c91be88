/* SPDX-License-Identifier: Apache-2.0 */
/* fairlead hash-password: the hash of a password for admin_password_hash and ai_users. A terminal is asked twice and does not
 * show what is typed; from a pipe the first line is taken. */
#include "main/cli.h"
#include "store/seal.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <termios.h>
#include <unistd.h>

#define PASSWORD_MAX 1024 /* bytes */
#define HASH_MAX 512

static volatile sig_atomic_t caught_signal;

static void on_signal(int number)
{
    caught_signal = number;
}

/* One byte; -1 when a signal came, also before the wait has begun: signals are only let through while waiting. */
static ssize_t read_byte(int fd, const sigset_t *while_waiting, char *out)
{
    struct pollfd wanted = {.fd = fd, .events = POLLIN};
    if (caught_signal || (ppoll(&wanted, 1, NULL, while_waiting) < 0 && caught_signal))
        return -1;
    return read(fd, out, 1);
}

/* One line without its end. False: there is none, it is too long, or a signal came; `why` says which. */
static bool read_line(int fd, const sigset_t *while_waiting, char memory[PASSWORD_MAX], struct str *ret_line,
                      const char **ret_why)
{
    size_t len = 0;
    for (;;) {
        ssize_t got = read_byte(fd, while_waiting, memory + len);
        if (got < 0 && errno == EINTR && !caught_signal)
            continue;
        if (got < 0 || (got == 0 && len == 0)) {
            *ret_why = "no password was given";
            return false;
        }
        if (got == 0 || memory[len] == '\n')
            break;
        if (++len == PASSWORD_MAX) {
            *ret_why = "the password is too long";
            return false;
        }
    }
    if (len > 0 && memory[len - 1] == '\r')
        len--;
    *ret_line = (struct str){memory, len};
    return true;
}

static bool ask(const char *question, const sigset_t *while_waiting, char memory[PASSWORD_MAX],
                struct str *ret_line, const char **ret_why)
{
    fputs(question, stderr);
    bool is_good = read_line(STDIN_FILENO, while_waiting, memory, ret_line, ret_why);
    fputc('\n', stderr);
    return is_good;
}

static bool ask_twice(const sigset_t *while_waiting, char memory[PASSWORD_MAX], struct str *ret_password,
                      const char **ret_why)
{
    char again_memory[PASSWORD_MAX];
    struct str again;
    bool is_good = ask("Password: ", while_waiting, memory, ret_password, ret_why) &&
                   ask("Once more: ", while_waiting, again_memory, &again, ret_why);
    if (is_good && !str_eq(*ret_password, again)) {
        *ret_why = "the two passwords differ";
        is_good = false;
    }
    OPENSSL_cleanse(again_memory, sizeof(again_memory));
    return is_good;
}

/* The terminal shows its input again however this ends, Ctrl-C included. */
static bool ask_terminal(char memory[PASSWORD_MAX], struct str *ret_password, const char **ret_why)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};
    struct sigaction action = {.sa_handler = on_signal}, before[ARRAY_LEN(signals)];
    struct termios shown, hidden;
    sigset_t ours, mask_before;
    if (tcgetattr(STDIN_FILENO, &shown) != 0) {
        *ret_why = "the terminal cannot be asked";
        return false;
    }
    hidden = shown;
    hidden.c_lflag &= ~(tcflag_t)ECHO;
    sigemptyset(&ours);
    for (size_t i = 0; i < ARRAY_LEN(signals); i++) {
        sigaddset(&ours, signals[i]);
        sigaction(signals[i], &action, &before[i]);
    }
    sigprocmask(SIG_BLOCK, &ours, &mask_before);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
    bool is_good = ask_twice(&mask_before, memory, ret_password, ret_why);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
    sigprocmask(SIG_SETMASK, &mask_before, NULL);
    for (size_t i = 0; i < ARRAY_LEN(signals); i++)
        sigaction(signals[i], &before[i], NULL);
    if (caught_signal)
        raise(caught_signal);
    return is_good;
}

static int print_hash(struct str password)
{
    char memory[HASH_MAX];
    struct buf hash;
    buf_init_fixed(&hash, memory, sizeof(memory));
    if (password.len == 0) {
        fputs("fairlead: hash-password: the password is empty\n", stderr);
        return 1;
    }
    if (password_hash(password, &hash) != ERR_OK || !buf_ok(&hash)) {
        fputs("fairlead: hash-password: cannot compute the hash\n", stderr);
        return 1;
    }
    printf("%.*s\n", STR_ARG(buf_str(&hash)));
    return 0;
}

int cli_hash_password(struct str given)
{
    char memory[PASSWORD_MAX];
    struct str password;
    const char *why = "";
    if (given.ptr) {
        fputs(
            "fairlead: a password in the command line is seen by others on this machine; a pipe is better\n",
            stderr);
        return print_hash(given);
    }
    bool is_good = isatty(STDIN_FILENO) ? ask_terminal(memory, &password, &why)
                                        : read_line(STDIN_FILENO, NULL, memory, &password, &why);
    int status = 1;
    if (is_good)
        status = print_hash(password);
    else
        fprintf(stderr, "fairlead: hash-password: %s\n", why);
    OPENSSL_cleanse(memory, sizeof(memory));
    return status;
}
