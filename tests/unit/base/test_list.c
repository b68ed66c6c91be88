/* SPDX-License-Identifier: Apache-2.0 */
/* links: src/base/assert.c */
#include "base/list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

struct thing {
    int id;
    struct list node;
};

static struct thing things[6];

static struct list list_of(struct list *head, unsigned first, unsigned count)
{
    list_init(head);
    for (unsigned i = first; i < first + count; i++)
        list_push_back(head, &things[i].node);
    return *head;
}

static void assert_ids(struct list *head, const char *ids)
{
    size_t at = 0;
    LIST_EACH (node, head)
        assert_int_equal(LIST_ITEM(node, struct thing, node)->id, ids[at++] - '0');
    assert_int_equal(ids[at], '\0');
    for (struct list *node = head->prev; node != head; node = node->prev) /* and backwards */
        assert_int_equal(LIST_ITEM(node, struct thing, node)->id, ids[--at] - '0');
    assert_int_equal(at, 0);
}

static int number_things(void **state)
{
    (void)state;
    for (int i = 0; i < 6; i++) {
        things[i].id = i;
        list_init(&things[i].node);
    }
    return 0;
}

static void test_push_and_pop(void **state)
{
    struct list head;
    (void)state;
    list_init(&head);
    assert_true(list_is_empty(&head));
    assert_null(list_pop_front(&head));
    list_push_back(&head, &things[1].node);
    list_push_back(&head, &things[2].node);
    list_push_front(&head, &things[0].node);
    assert_ids(&head, "012");
    assert_ptr_equal(list_pop_front(&head), &things[0].node);
    assert_false(list_is_linked(&things[0].node));
    assert_true(list_is_linked(&things[1].node));
    assert_ids(&head, "12");
}

static void test_remove_anywhere_and_twice(void **state)
{
    struct list head;
    (void)state;
    list_of(&head, 0, 5);
    list_remove(&things[2].node);
    list_remove(&things[2].node);
    assert_ids(&head, "0134");
    list_remove(&things[0].node);
    list_remove(&things[4].node);
    assert_ids(&head, "13");
    list_remove(&things[1].node);
    list_remove(&things[3].node);
    assert_true(list_is_empty(&head));
}

static void test_remove_while_walking(void **state)
{
    struct list head;
    (void)state;
    list_of(&head, 0, 6);
    LIST_EACH (node, &head)
        if (LIST_ITEM(node, struct thing, node)->id % 2 == 0)
            list_remove(node);
    assert_ids(&head, "135");
}

static void test_splice(void **state)
{
    static const struct {
        unsigned to, from;
        const char *ids;
    } rows[] = {{0, 0, ""}, {0, 3, "012"}, {3, 0, "012"}, {1, 1, "01"}, {2, 3, "01234"}};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct list to, from;
        number_things(NULL);
        list_of(&to, 0, rows[i].to);
        list_of(&from, rows[i].to, rows[i].from);
        list_splice_back(&to, &from);
        assert_ids(&to, rows[i].ids);
        assert_true(list_is_empty(&from));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_push_and_pop, number_things),
        cmocka_unit_test_setup(test_remove_anywhere_and_twice, number_things),
        cmocka_unit_test_setup(test_remove_while_walking, number_things),
        cmocka_unit_test_setup(test_splice, number_things),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
