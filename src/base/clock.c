/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <string.h>
#include <time.h>

static usec_t clock_read(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return (usec_t)ts.tv_sec * USEC_PER_SEC + (usec_t)ts.tv_nsec / 1000;
}

usec_t clock_monotonic(void)
{
    return clock_read(CLOCK_MONOTONIC);
}

usec_t clock_realtime(void)
{
    return clock_read(CLOCK_REALTIME);
}

size_t clock_format(usec_t realtime, char *out)
{
    /* The text of a second is made once: one access-log line a request asks for it. */
    static _Thread_local time_t cached = -1;
    static _Thread_local char seconds[24];
    time_t second = (time_t)(realtime / USEC_PER_SEC);
    if (second != cached) {
        struct tm tm;
        gmtime_r(&second, &tm);
        strftime(seconds, sizeof(seconds), "%Y-%m-%dT%H:%M:%S", &tm);
        cached = second;
    }
    unsigned millis = (unsigned)(realtime % USEC_PER_SEC / USEC_PER_MSEC);
    char fraction[] = {'.', (char)('0' + millis / 100), (char)('0' + millis / 10 % 10),
                       (char)('0' + millis % 10), 'Z'};
    size_t len = strlen(seconds);
    memcpy(out, seconds, len);
    memcpy(out + len, fraction, sizeof(fraction));
    return len + sizeof(fraction);
}
