/* SPDX-License-Identifier: Apache-2.0 */
#include "route/backoff.h"

#include <time.h>

usec_t backoff_delay(const struct backoff_limits *limits, unsigned n, struct rng *rng)
{
    double base = (double)limits->initial, max = (double)limits->max;
    for (unsigned i = 0; i < n && base < max; i++)
        base *= limits->multiplier;
    base = MIN(base, max);
    /* -10 % to +10 % in steps of a hundredth percent. */
    double jittered = base * (0.9 + (double)rng_below(rng, 2001) / 10000);
    /* Reflected at max instead of cut there, which would put half of all delays on one point. */
    if (jittered > max)
        jittered = max - (jittered - max);
    return (usec_t)jittered;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* A decimal number of `unit`s, fraction allowed and cut below the microsecond; saturates at RETRY_AFTER_MAX.
 */
static bool decimal_parse(struct str value, usec_t unit, usec_t *ret_delay)
{
    size_t i = 0;
    usec_t delay = 0;
    for (; i < value.len && is_digit(value.ptr[i]); i++)
        delay = MIN(delay * 10 + (usec_t)(value.ptr[i] - '0') * unit, RETRY_AFTER_MAX);
    if (i == 0)
        return false;
    if (i < value.len && value.ptr[i] == '.') {
        size_t dot = i++;
        for (; i < value.len && is_digit(value.ptr[i]); i++) {
            unit /= 10;
            delay += (usec_t)(value.ptr[i] - '0') * unit;
        }
        if (i == dot + 1)
            return false;
    }
    if (i < value.len)
        return false;
    *ret_delay = MIN(delay, RETRY_AFTER_MAX);
    return true;
}

/* A date of the one form that RFC 9110 lets senders use: 'a' stands for a letter, '0' for a digit. */
#define DATE_FORM "aaa, 00 aaa 0000 00:00:00 GMT"

static bool date_has_form(struct str value)
{
    if (value.len != sizeof(DATE_FORM) - 1)
        return false;
    for (size_t i = 0; i < value.len; i++) {
        char form = DATE_FORM[i], c = value.ptr[i];
        bool fits = form == '0' ? is_digit(c) : form == 'a' ? (c >= 'A' && c <= 'z') : c == form;
        if (!fits)
            return false;
    }
    return true;
}

static int two_digits(const char *at)
{
    return (at[0] - '0') * 10 + (at[1] - '0');
}

/* 0 to 11, or -1. */
static int month_parse(const char *at)
{
    static const char names[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    for (int i = 0; i < 12; i++)
        if (memcmp(at, names[i], 3) == 0)
            return i;
    return -1;
}

/* The name of the day is not looked at: the date says it already. */
static bool date_parse(struct str value, usec_t *ret_realtime)
{
    if (!date_has_form(value))
        return false;
    const char *at = value.ptr;
    struct tm tm = {
        .tm_mday = two_digits(at + 5),
        .tm_mon = month_parse(at + 8),
        .tm_year = two_digits(at + 12) * 100 + two_digits(at + 14) - 1900,
        .tm_hour = two_digits(at + 17),
        .tm_min = two_digits(at + 20),
        .tm_sec = two_digits(at + 23),
    };
    if (tm.tm_mon < 0 || tm.tm_mday < 1 || tm.tm_mday > 31 || tm.tm_hour > 23 || tm.tm_min > 59 ||
        tm.tm_sec > 60)
        return false;
    time_t seconds = timegm(&tm);
    *ret_realtime = seconds > 0 ? (usec_t)seconds * USEC_PER_SEC : 0;
    return true;
}

bool retry_after_parse(struct str value, usec_t realtime, usec_t *ret_delay)
{
    if (decimal_parse(value, USEC_PER_SEC, ret_delay))
        return true;
    usec_t date;
    if (!date_parse(value, &date))
        return false;
    *ret_delay = date > realtime ? MIN(date - realtime, RETRY_AFTER_MAX) : 0;
    return true;
}

bool retry_after_ms_parse(struct str value, usec_t *ret_delay)
{
    return decimal_parse(value, USEC_PER_MSEC, ret_delay);
}
