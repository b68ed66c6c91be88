/* SPDX-License-Identifier: Apache-2.0 */
/* links: src/base/assert.c */
#include "../../../src/base/arena.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

static bool is_aligned(const void *ptr)
{
    return (uintptr_t)ptr % _Alignof(max_align_t) == 0;
}

/* Every byte is written, and no allocation may share one with another. */
static void test_many_sizes_do_not_overlap(void **state)
{
    struct arena arena;
    unsigned char *taken[200];
    (void)state;
    arena_init(&arena, NULL);
    for (size_t i = 0; i < ARRAY_LEN(taken); i++) {
        size_t size = i * 37 % 5000 + 1;
        taken[i] = arena_take(&arena, size);
        assert_non_null(taken[i]);
        assert_true(is_aligned(taken[i]));
        memset(taken[i], (int)i, size);
    }
    for (size_t i = 0; i < ARRAY_LEN(taken); i++)
        for (size_t at = 0; at < i * 37 % 5000 + 1; at++)
            assert_int_equal(taken[i][at], i);
    arena_fini(&arena);
    assert_null(arena.blocks);
}

static void test_sizes_around_a_block(void **state)
{
    (void)state;
    for (size_t size = ARENA_BLOCK_SIZE - 64; size < ARENA_BLOCK_SIZE + 64; size++) {
        struct arena arena;
        arena_init(&arena, NULL);
        char *before = arena_take(&arena, 8);
        char *large = arena_take(&arena, size);
        char *after = arena_take(&arena, 8);
        assert_true(before && large && after);
        memset(large, 'l', size);
        memset(before, 'b', 8);
        memset(after, 'a', 8);
        assert_int_equal(large[0], 'l');
        assert_int_equal(large[size - 1], 'l');
        arena_fini(&arena);
    }
}

static void test_zero(void **state)
{
    struct arena arena;
    (void)state;
    arena_init(&arena, NULL);
    for (unsigned round = 0; round < 3; round++) {
        unsigned char *dirty = arena_take(&arena, 300), *zeroed = arena_zero(&arena, 300);
        memset(dirty, 0xff, 300);
        for (size_t i = 0; i < 300; i++)
            assert_int_equal(zeroed[i], 0);
        uint64_t *numbers = ARENA_NEW_ARRAY(&arena, uint64_t, 5);
        assert_int_equal(numbers[4], 0);
        arena_fini(&arena); /* the arena can be used again */
    }
}

static void test_dup(void **state)
{
    struct arena arena;
    char source[] = "text";
    (void)state;
    arena_init(&arena, NULL);
    struct str copy = arena_dup(&arena, STR("text")), empty = arena_dup(&arena, STR_NONE);
    assert_true(copy.ptr != source && str_eq(copy, str_from(source)));
    assert_int_equal(copy.ptr[copy.len], '\0');
    assert_int_equal(empty.len, 0);
    assert_non_null(empty.ptr); /* not NULL: that says that memory is short */
    assert_int_equal(empty.ptr[0], '\0');
    arena_fini(&arena);
}

#ifndef ARENA_EMULATE
static size_t count_blocks(const struct arena *arena)
{
    size_t count = 0;
    for (const struct arena_block *block = arena->blocks; block; block = block->next)
        count++;
    return count;
}

static void test_small_ones_share_a_block(void **state)
{
    struct arena arena;
    (void)state;
    arena_init(&arena, NULL);
    char *first = arena_take(&arena, 1), *second = arena_take(&arena, 1);
    assert_int_equal(second - first, ALIGNMENT);
    assert_int_equal(count_blocks(&arena), 1);
    /* A large one gets its own block, and the room in the first is still used. */
    assert_non_null(arena_take(&arena, 10 * ARENA_BLOCK_SIZE));
    assert_int_equal(count_blocks(&arena), 2);
    char *third = arena_take(&arena, 1);
    assert_int_equal(third - second, ALIGNMENT);
    arena_fini(&arena);
}

static void test_cache_keeps_and_reuses(void **state)
{
    struct block_cache cache;
    struct arena arena;
    (void)state;
    block_cache_init(&cache, 2);
    arena_init(&arena, &cache);
    for (unsigned i = 0; i < 4; i++)
        assert_non_null(arena_take(&arena, ARENA_BLOCK_SIZE / 2 + 100));
    assert_non_null(arena_take(&arena, 3 * ARENA_BLOCK_SIZE)); /* of another size: never kept */
    assert_int_equal(count_blocks(&arena), 5);
    arena_fini(&arena);
    assert_int_equal(cache.kept, 2);
    const struct arena_block *newest = cache.free;
    assert_non_null(arena_take(&arena, 3 * ARENA_BLOCK_SIZE));
    assert_int_equal(cache.kept, 2);
    assert_non_null(arena_take(&arena, 900));
    assert_non_null(arena_take(&arena, 900));
    assert_int_equal(cache.kept, 1);
    assert_ptr_equal(arena.blocks, newest);
    arena_fini(&arena);
    assert_int_equal(cache.kept, 2);
    block_cache_fini(&cache);
    assert_null(cache.free);
    assert_int_equal(cache.kept, 0);
}
#else
static void test_emulated_allocations_are_apart(void **state)
{
    struct arena arena;
    size_t count = 0;
    (void)state;
    arena_init(&arena, NULL);
    for (unsigned i = 0; i < 20; i++)
        assert_non_null(arena_take(&arena, 1));
    for (const struct arena_block *block = arena.blocks; block; block = block->next, count++)
        assert_int_equal(block->size, sizeof(struct arena_block) + ALIGNMENT);
    assert_int_equal(count, 20);
    arena_fini(&arena);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_sizes_do_not_overlap),
        cmocka_unit_test(test_sizes_around_a_block),
        cmocka_unit_test(test_zero),
        cmocka_unit_test(test_dup),
#ifndef ARENA_EMULATE
        cmocka_unit_test(test_small_ones_share_a_block),
        cmocka_unit_test(test_cache_keeps_and_reuses),
#else
        cmocka_unit_test(test_emulated_allocations_are_apart),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
