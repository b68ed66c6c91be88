/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include "base/clock.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#define LOG_LINE_MAX 2048

static const char *const level_names[LOG_LEVEL_COUNT_] = {"debug", "info", "warn", "error"};
static _Atomic enum log_level threshold = LOG_INFO;

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&threshold, level, memory_order_relaxed);
}

bool log_level_parse(struct str name, enum log_level *ret_level)
{
    for (int i = 0; i < LOG_LEVEL_COUNT_; i++) {
        if (str_eq(name, str_from(level_names[i]))) {
            *ret_level = (enum log_level)i;
            return true;
        }
    }
    return false;
}

void log_line(enum log_level level, const char *fmt, ...)
{
    if (level < atomic_load_explicit(&threshold, memory_order_relaxed))
        return;
    char line[LOG_LINE_MAX];
    size_t len = clock_format(clock_realtime(), line);
    len += (size_t)snprintf(line + len, sizeof(line) - len, " %-5s ", level_names[level]);
    va_list args;
    va_start(args, fmt);
    int text = vsnprintf(line + len, sizeof(line) - len - 1, fmt, args);
    va_end(args);
    len = MIN(len + (size_t)MAX(text, 0), sizeof(line) - 2);
    line[len++] = '\n';
    /* One write, so that lines of several threads do not mix. A full stderr loses the line, not the process. */
    ssize_t written = write(STDERR_FILENO, line, len);
    (void)written;
}
