/* SPDX-License-Identifier: Apache-2.0 */
/* The table, its bounds and many threads. */
#include "../../../src/proxy/cache.c"

#include "base/rng.h"
#include "cache_fixture.h"

#define MIB ((uint64_t)1 << 20)

static struct cache cache;
static struct listener listener;
static struct buf text;
static struct cache_entry *fill;

static int begin(void **state)
{
    (void)state;
    alarm(GIVE_UP);
    buf_init(&text, MIB);
    listener_init(&listener);
    return cache_init(&cache, &(struct cache_limits){MIB, 1000, MIB / 4}) == ERR_OK ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    listener_fini(&listener);
    cache_fini(&cache);
    buf_free(&text);
    alarm(0);
    return 0;
}

/* All in one shard. */
static struct cache_key key_of(uint64_t number)
{
    return (struct cache_key){number * CACHE_SHARDS, number};
}

static enum cache_answer look_at(struct cache_key key, usec_t ttl, usec_t now)
{
    cache_reader_close(&listener.reader);
    return cache_lookup(&cache, key, ttl, now, &listener.reader, &fill);
}

static enum cache_answer look(uint64_t number)
{
    return look_at(key_of(number), TTL, 10 * SEC);
}

static void fill_with(struct str body, usec_t now)
{
    cache_fill_begin(fill, JSON, false);
    cache_fill_add(fill, body);
    cache_fill_end(fill, now);
}

static void store(uint64_t number)
{
    assert_int_equal(look(number), CACHE_FILL);
    fill_with(STR("answer"), 10 * SEC);
}

static bool is_kept(uint64_t number)
{
    return shard_find(&cache.shards[0], key_of(number)) != NULL;
}

static bool key_eq(struct cache_key a, struct cache_key b)
{
    return a.high == b.high && a.low == b.low;
}

static void test_keys(void **state)
{
    static struct cache other;
    (void)state;
    struct str parts[] = {STR("user"), STR("chat"), STR("{\"temperature\":0}")};
    struct cache_key key = cache_key_make(&cache, parts, 3);
    assert_true(key_eq(key, cache_key_make(&cache, parts, 3)));
    assert_false(key_eq(key, cache_key_make(&cache, parts, 2)));
    assert_false(key_eq(key, cache_key_make(&cache, (struct str[]){STR("userc"), STR("hat"), parts[2]}, 3)));
    assert_false(key_eq(key, cache_key_make(&cache, (struct str[]){parts[1], parts[0], parts[2]}, 3)));
    assert_false(key_eq(cache_key_make(&cache, (struct str[]){STR_NONE, parts[0]}, 2),
                        cache_key_make(&cache, (struct str[]){parts[0], STR_NONE}, 2)));
    assert_false(
        key_eq(cache_key_make(&cache, (struct str[]){STR_NONE}, 1), cache_key_make(&cache, NULL, 0)));
    assert_int_equal(cache_init(&other, &(struct cache_limits){1, 1, 1}), ERR_OK);
    assert_false(key_eq(key, cache_key_make(&other, parts, 3))); /* another process, another secret */
    cache_fini(&other);
}

/* Each single bit of a body makes another key. */
static void test_every_bit_counts(void **state)
{
    static char body[600];
    (void)state;
    struct cache_key key = cache_key_make(&cache, &(struct str){body, sizeof(body)}, 1);
    for (size_t bit = 0; bit < sizeof(body) * 8; bit++) {
        body[bit / 8] = (char)(1u << bit % 8);
        assert_false(key_eq(key, cache_key_make(&cache, &(struct str){body, sizeof(body)}, 1)));
        body[bit / 8] = 0;
    }
}

static void test_ages(void **state)
{
    (void)state;
    assert_int_equal(look_at(key_of(1), 10 * SEC, 50 * SEC), CACHE_FILL);
    fill_with(STR("x"), 100 * SEC);                                      /* its age counts from here */
    assert_int_equal(look_at(key_of(1), 10 * SEC, 99 * SEC), CACHE_HIT); /* a clock that lags */
    assert_int_equal(look_at(key_of(1), 99 * SEC, 110 * SEC - 1), CACHE_HIT);
    assert_int_equal(look_at(key_of(1), 99 * SEC, 110 * SEC),
                     CACHE_FILL); /* a longer time comes too late for it */
    assert_int_equal(cache_stats(&cache).expirations, 1);
    fill_with(STR("y"), 110 * SEC);
    assert_int_equal(look_at(key_of(1), 5 * SEC, 115 * SEC), CACHE_FILL); /* a shorter one acts at once */
    fill_with(STR("z"), 115 * SEC);
    cache_drop_expired(&cache, 120 * SEC - 1);
    assert_int_equal(cache_stats(&cache).item_count, 1);
    cache_drop_expired(&cache, 120 * SEC);
    assert_int_equal(cache_stats(&cache).item_count, 0);
    assert_int_equal(cache_stats(&cache).expirations, 3);
    assert_int_equal(look_at(key_of(1), 0, 120 * SEC), CACHE_OFF);
}

static void test_many_expire_at_once(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 300; i++) { /* all in one chain */
        assert_int_equal(look_at((struct cache_key){i * CACHE_SHARDS, 0}, SEC, 10 * SEC), CACHE_FILL);
        fill_with(STR("x"), 10 * SEC);
    }
    assert_int_equal(look_at(key_of(7), SEC, 10 * SEC), CACHE_FILL); /* is being filled: has no age */
    cache_drop_expired(&cache, 500 * SEC);
    assert_int_equal(cache_stats(&cache).item_count, 1);
    assert_int_equal(cache_stats(&cache).expirations, 300);
    cache_fill_fail(fill);
}

static void test_least_recently_used_goes_first(void **state)
{
    (void)state;
    cache_configure(&cache, &(struct cache_limits){MIB, 3, MIB / 4});
    store(1), store(2), store(3);
    assert_int_equal(look(1), CACHE_HIT);
    store(4);
    assert_true(is_kept(1) && !is_kept(2) && is_kept(3) && is_kept(4));
    assert_int_equal(look(5), CACHE_FILL); /* one that is being filled may go too */
    struct cache_entry *running = fill;
    assert_true(!is_kept(3) && is_kept(5));
    store(6), store(7), store(8);
    assert_false(is_kept(5));
    fill = running;
    fill_with(STR("late"), 10 * SEC);
    assert_false(is_kept(5));
    struct cache_stats stats = cache_stats(&cache);
    assert_int_equal(stats.item_count, 3);
    assert_int_equal(stats.evictions, 5);
}

static void test_other_shards_make_room(void **state)
{
    (void)state;
    cache_configure(&cache, &(struct cache_limits){MIB, 2, MIB / 4});
    store(1), store(2);
    assert_int_equal(look_at((struct cache_key){5, 5}, TTL, 10 * SEC), CACHE_FILL);
    fill_with(STR("x"), 10 * SEC);
    assert_true(!is_kept(1) && is_kept(2));
    assert_int_equal(look_at((struct cache_key){5, 5}, TTL, 10 * SEC), CACHE_HIT);
}

static void test_room_for_growth(void **state)
{
    static char block[10000];
    (void)state;
    cache_configure(&cache, &(struct cache_limits){40000, 1000, MIB});
    store(1), store(2);
    assert_int_equal(look(3), CACHE_FILL);
    cache_fill_begin(fill, JSON, false);
    cache_fill_add(fill, (struct str){block, sizeof(block)});
    assert_true(is_kept(1) && is_kept(2) && is_kept(3));
    cache_fill_add(fill, (struct str){block, sizeof(block)});
    cache_fill_add(fill, (struct str){block, sizeof(block)}); /* a chunk of 20000 with spare room */
    assert_true(!is_kept(1) && !is_kept(2) &&
                !is_kept(3)); /* it made all the room there was, and it was not enough */
    assert_int_equal(cache_stats(&cache).size_bytes, 0);
    cache_fill_end(fill, 10 * SEC);
}

static void test_no_room_at_all(void **state)
{
    (void)state;
    store(1);
    cache_configure(&cache, &(struct cache_limits){100, 1000, MIB});
    assert_false(is_kept(1));
    assert_int_equal(look(2), CACHE_OFF);
    cache_configure(&cache, &(struct cache_limits){MIB, 0, MIB});
    assert_int_equal(look(2), CACHE_OFF);
    struct cache_stats stats = cache_stats(&cache);
    assert_int_equal(stats.misses, 3);
    assert_int_equal(stats.size_bytes, 0);
    assert_int_equal(stats.item_count, 0);
}

static void test_configure(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 500; i++) {
        assert_int_equal(look_at((struct cache_key){i, i * 77}, TTL, 10 * SEC), CACHE_FILL);
        fill_with(STR("x"), 10 * SEC);
    }
    cache_configure(&cache, &(struct cache_limits){MIB, 100000, MIB / 4});
    assert_true(cache.shards[3].mask + 1 >= 100000 / CACHE_SHARDS);
    for (uint64_t i = 0; i < 500; i++)
        assert_int_equal(look_at((struct cache_key){i, i * 77}, TTL, 10 * SEC), CACHE_HIT);
    cache_configure(&cache, &(struct cache_limits){MIB, 100, MIB / 4});
    assert_int_equal(cache_stats(&cache).item_count, 100);
    cache_configure(&cache, &(struct cache_limits){20000, 1000, MIB / 4});
    uint64_t size = cache_stats(&cache).size_bytes;
    assert_true(size > 0 && size <= 20000);
}

static void test_clear(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 300; i++)
        store(i);
    assert_int_equal(look(1000), CACHE_FILL);
    assert_int_equal(look(1000), CACHE_FOLLOW);
    struct cache_entry *running = fill;
    cache_clear(&cache);
    struct cache_stats stats = cache_stats(&cache);
    assert_int_equal(stats.item_count, 0);
    assert_int_equal(stats.size_bytes, 0);
    assert_int_equal(stats.evictions, 0);
    fill = running;
    fill_with(STR("for those who follow"), 10 * SEC);
    assert_int_equal(read_all(&listener, &text), CACHE_END);
    assert_text(&text, "for those who follow");
    assert_int_equal(look(1000), CACHE_FILL);
    fill_with(STR("new"), 10 * SEC);
    assert_int_equal(look(1000), CACHE_HIT);
    assert_int_equal(look(7), CACHE_FILL);
    cache_fill_fail(fill);
}

/* Nothing older is found even before its shard has been emptied. */
static void test_clear_is_at_once(void **state)
{
    (void)state;
    store(1);
    atomic_fetch_add(&cache.epoch, 1);
    assert_int_equal(look(1), CACHE_FILL);
    assert_int_equal(cache_stats(&cache).expirations, 0);
    fill_with(STR("new"), 10 * SEC);
    assert_false(drop_some_old(&cache, &cache.shards[0]));
    assert_true(is_kept(1));
}

static void test_stats(void **state)
{
    (void)state;
    store(1);
    assert_int_equal(look(1), CACHE_HIT);
    assert_int_equal(look(1), CACHE_HIT);
    assert_int_equal(look(2), CACHE_FILL);
    assert_int_equal(look(2), CACHE_FOLLOW);
    struct cache_stats stats = cache_stats(&cache);
    assert_int_equal(stats.hits, 2);
    assert_int_equal(stats.misses, 2);
    assert_int_equal(stats.follows, 1);
    assert_int_equal(stats.item_count, 2);
    assert_true(stats.hit_rate > 0.399 && stats.hit_rate < 0.401);
    cache_fill_fail(fill);
    assert_int_equal(cache_stats(&cache).item_count, 1);
}

/* ---- the bounds, by chance ---- */

#define KEYS 40
#define RUNNING 6

struct run {
    struct cache_entry *entry; /* NULL: free */
    uint64_t number, version;
    size_t done, length;
};

static size_t length_of(uint64_t version)
{
    struct rng rng;
    rng_init(&rng, version);
    return rng_below(&rng, rng_below(&rng, rng_below(&rng, 4) ? 1500 : 9000) + 1);
}

/* What the answer `version` to `number` has at `at`. */
static char byte_at(uint64_t number, uint64_t version, size_t at)
{
    return (char)(number * 31 + version * 7 + at * (version % 5 + 1));
}

static void check_books(uint64_t max_bytes, uint64_t max_items)
{
    uint64_t bytes = 0, items = 0;
    for (size_t i = 0; i < CACHE_SHARDS; i++) {
        LIST_EACH (node, &cache.shards[i].recent) {
            const struct cache_entry *entry = LIST_ITEM(node, struct cache_entry, recent);
            uint64_t cost = CACHE_ENTRY_COST;
            for (struct cache_chunk *chunk = entry->first; chunk; chunk = chunk->next)
                cost += sizeof(*chunk) + chunk->room + CACHE_ALLOCATION_COST;
            assert_int_equal(entry->charged, cost);
            assert_ptr_equal(shard_find(&cache.shards[i], entry->key), entry);
            bytes += cost;
            items++;
        }
    }
    assert_int_equal(cache.size_bytes, bytes);
    assert_int_equal(cache.item_count, items);
    assert_true(bytes <= max_bytes && items <= max_items);
}

static void add_some(struct run *run, size_t count)
{
    char bytes[512];
    for (size_t i = 0; i < count; i++)
        bytes[i] = byte_at(run->number, run->version, run->done + i);
    cache_fill_add(run->entry, (struct str){bytes, count});
    run->done += count;
}

static void advance(struct run *run, struct rng *rng)
{
    add_some(run, rng_below(rng, MIN(run->length - run->done, (size_t)512) + 1));
    bool is_failing = rng_below(rng, 200) == 0;
    if (run->done < run->length && !is_failing)
        return;
    if (is_failing)
        cache_fill_fail(run->entry);
    else
        cache_fill_end(run->entry, 10 * SEC);
    run->entry = NULL;
}

/* The version is told by the content type, so that it can be seen that head and body are of one answer, and whole. */
static void check_hit(uint64_t number)
{
    uint64_t version = 0;
    buf_clear(&text);
    assert_int_equal(read_some(&listener.reader, &text), CACHE_END);
    struct cache_head head = cache_reader_head(&listener.reader);
    assert_int_equal(head.content_type.len, sizeof(version));
    memcpy(&version, head.content_type.ptr, sizeof(version));
    assert_int_equal(head.length, text.len);
    assert_int_equal(text.len, length_of(version));
    for (size_t i = 0; i < text.len; i++)
        assert_int_equal(text.ptr[i], byte_at(number, version, i));
}

static uint64_t run_by_chance(uint64_t seed)
{
    struct run runs[RUNNING] = {0};
    uint64_t version = 0, hits = 0;
    struct cache_limits bounds = {30000, 12, 6000};
    struct rng rng;
    rng_init(&rng, seed);
    cache_clear(&cache);
    cache_configure(&cache, &bounds);
    for (size_t step = 0; step < 4000; step++) {
        struct run *run = &runs[rng_below(&rng, RUNNING)];
        uint64_t number = rng_below(&rng, 1 + rng_below(&rng, KEYS)); /* some often */
        if (run->entry) {
            advance(run, &rng);
        } else {
            enum cache_answer answer = look_at((struct cache_key){number, number << 3}, TTL, 10 * SEC);
            if (answer == CACHE_HIT) {
                check_hit(number);
                hits++;
            } else if (answer == CACHE_FILL) {
                version++;
                *run = (struct run){fill, number, version, 0, length_of(version)};
                cache_fill_begin(fill, (struct str){(char *)&version, sizeof(version)}, false);
            }
        }
        if (rng_below(&rng, 300) == 0)
            cache_clear(&cache);
        if (rng_below(&rng, 100) == 0) {
            bounds = (struct cache_limits){2000 + rng_below(&rng, 60000), 1 + rng_below(&rng, 30), 6000};
            cache_configure(&cache, &bounds);
        }
        check_books(bounds.max_bytes, bounds.max_items);
    }
    for (size_t i = 0; i < RUNNING; i++)
        if (runs[i].entry)
            cache_fill_fail(runs[i].entry);
    return hits;
}

static void test_bounds_by_chance(void **state)
{
    (void)state;
    uint64_t hits = 0;
    for (uint64_t seed = 1; seed <= 20; seed++)
        hits += run_by_chance(seed);
    assert_true(hits > 1000);
}

/* ---- threads; cmocka's assertions are for the main one ---- */

#define THREADS 8
#define ROUNDS 1500
#define BOUND_BYTES ((uint64_t)60000)
#define BOUND_ITEMS ((uint64_t)20)

static _Atomic uint64_t served[CACHE_FILL + 1];
static _Atomic bool is_over;

/* Fills in pieces; at times fails, at times hangs up and goes on only for others. */
static void work_as_filler(struct cache_entry *entry, uint64_t number, struct rng *rng)
{
    struct run run = {entry, number, number, 0, 200 + number * 150};
    bool is_failing = rng_below(rng, 8) == 0, has_client = rng_below(rng, 3) > 0;
    cache_fill_begin(entry, JSON, number % 2);
    while (run.done < run.length) {
        if ((is_failing && run.done > run.length / 2) || (!has_client && !cache_fill_has_followers(entry))) {
            cache_fill_fail(entry);
            return;
        }
        size_t piece = 1 + rng_below(rng, 400);
        add_some(&run, MIN(run.length - run.done, piece));
        if (rng_below(rng, 4) == 0)
            sched_yield();
    }
    cache_fill_end(entry, 10 * SEC);
}

static void work_as_reader(struct listener *own, struct buf *body, uint64_t number, struct rng *rng)
{
    buf_clear(body);
    if (rng_below(rng, 4) == 0) { /* hangs up, perhaps with a message under way */
        (void)read_some(&own->reader, body);
        cache_reader_close(&own->reader);
        return;
    }
    enum cache_next last = read_all(own, body);
    for (size_t i = 0; i < body->len; i++)
        ASSERT(body->ptr[i] == byte_at(number, number, i));
    if (last == CACHE_END) {
        ASSERT(body->len == 200 + number * 150);
        ASSERT(cache_reader_head(&own->reader).is_stream == number % 2);
    } else if (last == CACHE_FAILED_CLEAN) {
        ASSERT(body->len == 0);
    } else {
        ASSERT(body->len > 0);
    }
    cache_reader_close(&own->reader);
}

static void *run_worker(void *argument)
{
    static struct listener listeners[THREADS];
    uintptr_t index = (uintptr_t)argument;
    struct listener *own = &listeners[index];
    struct buf body;
    struct rng rng;
    rng_init(&rng, index + 77);
    buf_init(&body, MIB);
    listener_init(own);
    for (size_t i = 0; i < ROUNDS; i++) {
        uint64_t number = rng_below(&rng, rng_below(&rng, 2) ? 4 : 60);
        struct cache_key key = {number, number * 3};
        struct cache_entry *entry;
        enum cache_answer answer = cache_lookup(&cache, key, TTL, 10 * SEC, &own->reader, &entry);
        atomic_fetch_add(&served[answer], 1);
        if (answer == CACHE_FILL)
            work_as_filler(entry, number, &rng);
        else if (answer != CACHE_OFF)
            work_as_reader(own, &body, number, &rng);
    }
    listener_fini(own);
    buf_free(&body);
    return NULL;
}

/* The bounds hold whenever one looks. */
static void *run_administrator(void *argument)
{
    struct rng rng;
    rng_init(&rng, 5);
    while (!is_over) {
        struct cache_stats stats = cache_stats(&cache);
        ASSERT(stats.size_bytes <= BOUND_BYTES);
        ASSERT(stats.item_count <= BOUND_ITEMS);
        if (rng_below(&rng, 20) == 0)
            cache_clear(&cache);
        cache_drop_expired(&cache, 10 * SEC);
        sched_yield();
    }
    return argument;
}

static void test_threads(void **state)
{
    pthread_t threads[THREADS], administrator;
    (void)state;
    cache_configure(&cache, &(struct cache_limits){BOUND_BYTES, BOUND_ITEMS, 7000});
    assert_int_equal(pthread_create(&administrator, NULL, run_administrator, NULL), 0);
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run_worker, (void *)i), 0);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    is_over = true;
    pthread_join(administrator, NULL);
    check_books(BOUND_BYTES, BOUND_ITEMS);
    struct cache_stats stats = cache_stats(&cache);
    assert_int_equal(stats.hits, served[CACHE_HIT]);
    assert_int_equal(stats.follows, served[CACHE_FOLLOW]);
    assert_int_equal(stats.misses, served[CACHE_FILL] + served[CACHE_OFF]);
    assert_int_equal(stats.hits + stats.follows + stats.misses, THREADS * ROUNDS);
    assert_true(stats.hits > 0 && stats.follows > 0 && stats.evictions > 0);
}

#define FOLLOWERS 6
#define PIECES 400

struct crowd {
    struct listener listeners[FOLLOWERS];
    pthread_barrier_t gun;
    enum cache_next last[FOLLOWERS];
    size_t length[FOLLOWERS];
};

static struct crowd crowd;

/* The odd ones hang up at about the middle; the others sleep until the end. */
static void *run_follower(void *argument)
{
    uintptr_t index = (uintptr_t)argument;
    struct listener *own = &crowd.listeners[index];
    struct buf body;
    struct str bytes;
    struct cache_entry *entry;
    buf_init(&body, MIB);
    listener_init(own);
    ASSERT(cache_lookup(&cache, key_of(9), TTL, 10 * SEC, &own->reader, &entry) == CACHE_FOLLOW);
    ASSERT(cache_reader_next(&own->reader, &bytes) == CACHE_WAIT);
    pthread_barrier_wait(&crowd.gun);
    if (index % 2)
        while (body.len < PIECES / 2 && (crowd.last[index] = read_some(&own->reader, &body)) == CACHE_WAIT)
            uv_run(&own->loop.uv, UV_RUN_ONCE);
    else
        crowd.last[index] = read_all(own, &body);
    for (size_t i = 0; i < body.len; i++)
        ASSERT(body.ptr[i] == byte_at(9, 9, i));
    crowd.length[index] = body.len;
    listener_fini(own);
    buf_free(&body);
    return NULL;
}

/* All followers wait before the first byte, and each byte comes by itself. */
static void fill_for_crowd(size_t pieces, bool is_failing)
{
    pthread_t threads[FOLLOWERS];
    assert_int_equal(look(9), CACHE_FILL);
    pthread_barrier_init(&crowd.gun, NULL, FOLLOWERS + 1);
    for (uintptr_t i = 0; i < FOLLOWERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run_follower, (void *)i), 0);
    pthread_barrier_wait(&crowd.gun);
    struct run run = {fill, 9, 9, 0, pieces};
    cache_fill_begin(fill, JSON, true);
    while (run.done < run.length) {
        add_some(&run, 1);
        sched_yield();
    }
    if (is_failing)
        cache_fill_fail(fill);
    else
        cache_fill_end(fill, 10 * SEC);
    for (size_t i = 0; i < FOLLOWERS; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&crowd.gun);
}

static void test_a_crowd_follows(void **state)
{
    (void)state;
    fill_for_crowd(PIECES, false);
    for (size_t i = 0; i < FOLLOWERS; i += 2) {
        assert_int_equal(crowd.last[i], CACHE_END);
        assert_int_equal(crowd.length[i], PIECES);
    }
    assert_int_equal(look(9), CACHE_HIT);
    assert_int_equal(read_some(&listener.reader, &text), CACHE_END);
    assert_int_equal(text.len, PIECES);
}

static void test_a_crowd_goes_its_own_way(void **state)
{
    (void)state;
    fill_for_crowd(0, true);
    for (size_t i = 0; i < FOLLOWERS; i++)
        assert_int_equal(crowd.last[i], CACHE_FAILED_CLEAN);
}

static void test_a_crowd_is_cut(void **state)
{
    (void)state;
    fill_for_crowd(PIECES / 4, true);
    for (size_t i = 0; i < FOLLOWERS; i++) /* who has not woken up yet has had nothing */
        assert_true(crowd.last[i] == (crowd.length[i] ? CACHE_FAILED_CUT : CACHE_FAILED_CLEAN));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_keys),
        TEST(test_every_bit_counts),
        TEST(test_ages),
        TEST(test_many_expire_at_once),
        TEST(test_least_recently_used_goes_first),
        TEST(test_other_shards_make_room),
        TEST(test_room_for_growth),
        TEST(test_no_room_at_all),
        TEST(test_configure),
        TEST(test_clear),
        TEST(test_clear_is_at_once),
        TEST(test_stats),
        TEST(test_bounds_by_chance),
        TEST(test_threads),
        TEST(test_a_crowd_follows),
        TEST(test_a_crowd_goes_its_own_way),
        TEST(test_a_crowd_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
