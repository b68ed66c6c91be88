/* SPDX-License-Identifier: Apache-2.0 */
/* One answer with its filler and readers, on one thread. */
#include <stdbool.h>
#include <stdlib.h>

static bool is_memory_short;

static void *malloc_or_not(size_t size)
{
    return is_memory_short ? NULL : malloc(size);
}

#define malloc malloc_or_not
#include "../../../src/proxy/cache_entry.c"
#undef malloc

#include "cache_fixture.h"

static struct cache cache;
static struct cache_entry *fill;
static struct listener first, second;
static struct buf text;

static int begin(void **state)
{
    (void)state;
    alarm(GIVE_UP);
    fill = NULL;
    is_memory_short = false;
    buf_init(&text, (size_t)1 << 28);
    listener_init(&first);
    listener_init(&second);
    return cache_init(&cache, &(struct cache_limits){(uint64_t)1 << 28, 1000, 1000}) == ERR_OK ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    listener_fini(&first);
    listener_fini(&second);
    cache_fini(&cache);
    buf_free(&text);
    alarm(0);
    return 0;
}

static enum cache_answer look(struct listener *listener)
{
    struct cache_key key = cache_key_make(&cache, &STR("question"), 1);
    return cache_lookup(&cache, key, TTL, 10 * SEC, &listener->reader, &fill);
}

static void test_follow(void **state)
{
    (void)state;
    assert_int_equal(look(&first), CACHE_FILL);
    assert_false(cache_fill_has_followers(fill));
    assert_int_equal(look(&first), CACHE_FOLLOW);
    assert_true(cache_fill_has_followers(fill));
    assert_int_equal(read_some(&first.reader, &text), CACHE_WAIT); /* not even a head */
    cache_fill_begin(fill, STR("text/event-stream"), true);
    cache_fill_add(fill, STR("one "));
    cache_fill_add(fill, STR("two "));
    assert_int_equal(first.calls, 0);
    loop_deliver(&first.loop);
    assert_int_equal(first.calls, 1); /* one message for both */
    assert_int_equal(read_some(&first.reader, &text), CACHE_WAIT);
    assert_text(&text, "one two ");
    struct cache_head head = cache_reader_head(&first.reader);
    assert_true(str_eq(head.content_type, STR("text/event-stream")));
    assert_true(head.is_stream);
    assert_false(head.is_complete);

    assert_int_equal(look(&second), CACHE_FOLLOW); /* late: has all from the beginning */
    buf_clear(&text);
    assert_int_equal(read_some(&second.reader, &text), CACHE_WAIT);
    assert_text(&text, "one two ");
    cache_fill_add(fill, STR("three"));
    cache_fill_end(fill, 10 * SEC);
    assert_int_equal(read_some(&second.reader, &text), CACHE_END);
    assert_text(&text, "one two three");
    assert_int_equal(cache_reader_head(&second.reader).length, 13);
    buf_clear(&text);
    assert_int_equal(read_all(&first, &text), CACHE_END);
    assert_text(&text, "three");
    assert_int_equal(read_some(&first.reader, &text), CACHE_END);
}

static void test_hit(void **state)
{
    struct str bytes;
    (void)state;
    assert_int_equal(look(&first), CACHE_FILL);
    cache_fill_begin(fill, JSON, false);
    cache_fill_add(fill, STR("{\"a\":"));
    cache_fill_add(fill, STR_NONE);
    cache_fill_add(fill, STR("1}"));
    cache_fill_end(fill, 10 * SEC);
    assert_int_equal(look(&first), CACHE_HIT);
    assert_int_equal(look(&second), CACHE_HIT);
    assert_int_equal(read_some(&first.reader, &text), CACHE_END);
    assert_text(&text, "{\"a\":1}");
    struct cache_head head = cache_reader_head(&first.reader);
    assert_true(str_eq(head.content_type, JSON));
    assert_false(head.is_stream);
    assert_true(head.is_complete);
    assert_int_equal(head.length, 7);
    assert_int_equal(cache_reader_next(&second.reader, &bytes), CACHE_DATA);
    cache_reader_close(&first.reader);
    cache_clear(&cache);
    assert_int_equal(bytes.len, 5);
    assert_memory_equal(bytes.ptr, "{\"a\":", 5); /* the same memory, for as long as it is read */
    cache_reader_close(&second.reader);
    cache_reader_close(&second.reader);
}

static void test_an_empty_answer(void **state)
{
    (void)state;
    assert_int_equal(look(&first), CACHE_FILL);
    assert_int_equal(look(&first), CACHE_FOLLOW);
    assert_int_equal(read_some(&first.reader, &text), CACHE_WAIT);
    cache_fill_begin(fill, STR(""), false);
    cache_fill_end(fill, 10 * SEC);
    assert_int_equal(read_all(&first, &text), CACHE_END);
    assert_int_equal(look(&second), CACHE_HIT);
    assert_int_equal(read_all(&second, &text), CACHE_END);
    assert_int_equal(cache_reader_head(&second.reader).length, 0);
    assert_int_equal(text.len, 0);
}

static void test_clean_and_cut(void **state)
{
    (void)state;
    assert_int_equal(look(&first), CACHE_FILL);
    assert_int_equal(look(&first), CACHE_FOLLOW);
    assert_int_equal(look(&second), CACHE_FOLLOW);
    cache_fill_begin(fill, JSON, false);
    cache_fill_add(fill, STR("some"));
    assert_int_equal(read_some(&first.reader, &text), CACHE_WAIT);
    cache_fill_add(fill, STR(" more"));
    cache_fill_fail(fill);
    assert_int_equal(read_all(&first, &text), CACHE_FAILED_CUT);
    assert_text(&text, "some more");
    buf_clear(&text);
    assert_int_equal(read_all(&second, &text), CACHE_FAILED_CLEAN);
    assert_text(&text, "");
    cache_reader_close(&first.reader);
    assert_int_equal(look(&first), CACHE_FILL); /* nothing is left of it */
    cache_fill_fail(fill);                      /* before it began */
    assert_int_equal(cache_stats(&cache).item_count, 0);
}

static void test_a_failure_wakes(void **state)
{
    (void)state;
    assert_int_equal(look(&first), CACHE_FILL);
    assert_int_equal(look(&first), CACHE_FOLLOW);
    assert_int_equal(read_some(&first.reader, &text), CACHE_WAIT);
    cache_fill_fail(fill);
    loop_deliver(&first.loop);
    assert_int_equal(first.calls, 1);
    assert_int_equal(read_some(&first.reader, &text), CACHE_FAILED_CLEAN);
}

/* The message is under way while its reader asks again, and leaves. */
static void test_leaving_with_a_message_under_way(void **state)
{
    (void)state;
    assert_int_equal(look(&first), CACHE_FILL);
    assert_int_equal(look(&first), CACHE_FOLLOW);
    assert_int_equal(read_some(&first.reader, &text), CACHE_WAIT);
    assert_int_equal(read_some(&first.reader, &text), CACHE_WAIT); /* waits already */
    cache_fill_begin(fill, JSON, false);
    cache_fill_add(fill, STR("a"));
    assert_int_equal(read_some(&first.reader, &text), CACHE_WAIT);
    assert_true(first.reader.is_posted);
    assert_false(list_is_linked(&first.reader.node)); /* the first message has not come: no second one */
    cache_fill_add(fill, STR("b"));
    loop_deliver(&first.loop);
    assert_int_equal(first.calls, 1);
    assert_int_equal(read_some(&first.reader, &text), CACHE_WAIT);
    assert_text(&text, "ab");
    cache_fill_add(fill, STR("c"));
    cache_reader_close(&first.reader);
    assert_false(cache_fill_has_followers(fill));
    loop_deliver(&first.loop);
    assert_int_equal(first.calls, 1);

    assert_int_equal(look(&second), CACHE_FOLLOW); /* and one that leaves while it waits */
    assert_int_equal(read_some(&second.reader, &text), CACHE_WAIT);
    cache_reader_close(&second.reader);
    cache_fill_add(fill, STR("d"));
    cache_fill_end(fill, 10 * SEC);
    loop_deliver(&second.loop);
    assert_int_equal(second.calls, 0);
    buf_clear(&text);
    assert_int_equal(look(&second), CACHE_HIT);
    assert_int_equal(read_some(&second.reader, &text), CACHE_END);
    assert_text(&text, "abcd");
}

static const struct str half = {"0123456789", 10};

static void test_too_large_alone(void **state)
{
    (void)state;
    assert_int_equal(look(&first), CACHE_FILL);
    cache_fill_begin(fill, JSON, false);
    for (size_t i = 0; i < 100; i++)
        cache_fill_add(fill, half);
    assert_int_equal(cache_stats(&cache).item_count, 1); /* exactly as large as is allowed */
    cache_fill_add(fill, STR("."));
    assert_int_equal(cache_stats(&cache).item_count, 0);
    assert_int_equal(cache_stats(&cache).size_bytes, 0);
    assert_null(fill->first);
    cache_fill_add(fill, STR("."));
    cache_fill_end(fill, 10 * SEC);
    assert_int_equal(look(&first), CACHE_FILL);
    cache_fill_fail(fill);
}

static void test_too_large_with_a_follower(void **state)
{
    struct cache_entry *grown;
    (void)state;
    assert_int_equal(look(&first), CACHE_FILL);
    assert_int_equal(look(&first), CACHE_FOLLOW);
    grown = fill;
    cache_fill_begin(grown, JSON, false);
    for (size_t i = 0; i < 101; i++)
        cache_fill_add(grown, half);
    assert_int_equal(cache_stats(&cache).item_count, 0);
    assert_int_equal(look(&second), CACHE_FILL); /* cannot join it */
    for (size_t i = 0; i < 99; i++)
        cache_fill_add(grown, half);
    cache_fill_end(grown, 10 * SEC);
    assert_int_equal(read_all(&first, &text), CACHE_END);
    assert_int_equal(text.len, 2000);
    for (size_t i = 0; i < 2000; i++)
        assert_int_equal(text.ptr[i], '0' + i % 10);
    cache_fill_fail(fill);
}

static void test_the_last_follower_leaves(void **state)
{
    (void)state;
    assert_int_equal(look(&first), CACHE_FILL);
    assert_int_equal(look(&first), CACHE_FOLLOW);
    cache_fill_begin(fill, JSON, false);
    cache_clear(&cache);
    cache_fill_add(fill, half);
    assert_int_equal(read_some(&first.reader, &text), CACHE_WAIT);
    cache_reader_close(&first.reader);
    cache_fill_add(fill, half);
    assert_null(fill->first); /* no longer held for anybody */
    cache_fill_end(fill, 10 * SEC);
}

static void test_follow_has_an_end(void **state)
{
    static char block[1 << 20];
    (void)state;
    assert_int_equal(look(&first), CACHE_FILL);
    assert_int_equal(look(&first), CACHE_FOLLOW);
    cache_fill_begin(fill, JSON, false);
    for (size_t i = 0; i < CACHE_FOLLOW_MAX / sizeof(block); i++)
        cache_fill_add(fill, (struct str){block, sizeof(block)});
    assert_int_equal(read_some(&first.reader, &text), CACHE_WAIT);
    assert_int_equal(text.len, CACHE_FOLLOW_MAX);
    cache_fill_add(fill, STR("."));
    assert_int_equal(read_all(&first, &text), CACHE_FAILED_CUT);
    cache_fill_end(fill, 10 * SEC);
    assert_int_equal(text.len, CACHE_FOLLOW_MAX);
}

static void test_content_type_too_long(void **state)
{
    char long_type[CACHE_CONTENT_TYPE_MAX + 1];
    (void)state;
    memset(long_type, 'x', sizeof(long_type));
    assert_int_equal(look(&first), CACHE_FILL);
    assert_int_equal(look(&first), CACHE_FOLLOW);
    cache_fill_begin(fill, (struct str){long_type, sizeof(long_type)}, false);
    cache_fill_add(fill, half);
    cache_fill_end(fill, 10 * SEC);
    assert_int_equal(read_some(&first.reader, &text), CACHE_FAILED_CLEAN);
    assert_int_equal(look(&second), CACHE_FILL);
    cache_fill_begin(fill, (struct str){long_type, CACHE_CONTENT_TYPE_MAX}, false);
    cache_fill_end(fill, 10 * SEC);
    assert_int_equal(look(&second), CACHE_HIT);
    assert_int_equal(cache_reader_head(&second.reader).content_type.len, CACHE_CONTENT_TYPE_MAX);
}

static void test_memory_is_short(void **state)
{
    (void)state;
    assert_int_equal(look(&first), CACHE_FILL);
    assert_int_equal(look(&first), CACHE_FOLLOW);
    cache_fill_begin(fill, JSON, false);
    cache_fill_add(fill, half);
    assert_int_equal(read_some(&first.reader, &text), CACHE_WAIT);
    is_memory_short = true;
    cache_fill_add(fill, half);
    assert_int_equal(read_all(&first, &text), CACHE_FAILED_CUT);
    assert_int_equal(text.len, half.len);
    cache_fill_add(fill, half);
    cache_fill_end(fill, 10 * SEC);
    assert_int_equal(cache_stats(&cache).size_bytes, 0);
}

static void test_chunks_are_few(void **state)
{
    (void)state;
    cache_configure(&cache, &(struct cache_limits){(uint64_t)1 << 28, 1000, (uint64_t)1 << 24});
    assert_int_equal(look(&first), CACHE_FILL);
    cache_fill_begin(fill, JSON, true);
    for (size_t i = 0; i < 10000; i++)
        cache_fill_add(fill, half);
    size_t chunks = 0, room = 0;
    for (struct cache_chunk *chunk = fill->first; chunk; chunk = chunk->next) {
        chunks++;
        room += chunk->room;
    }
    assert_true(chunks <= 16);
    assert_true(room <= 200000);
    assert_int_equal(cache_stats(&cache).size_bytes,
                     CACHE_ENTRY_COST + room + chunks * (sizeof(struct cache_chunk) + CACHE_ALLOCATION_COST));
    cache_fill_end(fill, 10 * SEC);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_follow),
        TEST(test_hit),
        TEST(test_an_empty_answer),
        TEST(test_clean_and_cut),
        TEST(test_a_failure_wakes),
        TEST(test_leaving_with_a_message_under_way),
        TEST(test_too_large_alone),
        TEST(test_too_large_with_a_follower),
        TEST(test_the_last_follower_leaves),
        TEST(test_follow_has_an_end),
        TEST(test_content_type_too_long),
        TEST(test_memory_is_short),
        TEST(test_chunks_are_few),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
