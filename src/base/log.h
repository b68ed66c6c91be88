/* SPDX-License-Identifier: Apache-2.0 */
/* The process log: one line on stderr for a person, safe from any thread. It is for decisions and faults;
 * requests have the access log. Only the code that decides what a fault means logs it. */
#pragma once

#include "base/str.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR, LOG_LEVEL_COUNT_ };

/* Lines below `level` are dropped. Any thread. */
void log_set_level(enum log_level level);

/* "debug", "info", "warn", "error"; false for anything else. */
MUST_USE bool log_level_parse(struct str name, enum log_level *ret_level);

void log_line(enum log_level level, const char *fmt, ...) PRINTF_LIKE(2, 3);

#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)
#define log_info(...) log_line(LOG_INFO, __VA_ARGS__)
#define log_warn(...) log_line(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)
