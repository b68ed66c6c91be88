/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/suggest.h"

#define EDITS_MAX 2
#define WORD_MAX 64
#define PREFIX_MIN 3 /* a shorter beginning says too little */

void suggestion_init(struct suggestion *suggestion, struct str word)
{
    *suggestion = (struct suggestion){.word = word, .distance = SIZE_MAX};
}

static bool is_same_letter(char a, char b)
{
    return str_eq_nocase((struct str){&a, 1}, (struct str){&b, 1});
}

/* Levenshtein distance, one row of the matrix at a time; `b` is at most WORD_MAX long. */
static size_t edit_distance(struct str a, struct str b)
{
    size_t row[WORD_MAX + 1];
    for (size_t j = 0; j <= b.len; j++)
        row[j] = j;
    for (size_t i = 0; i < a.len; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < b.len; j++) {
            size_t replaced = diagonal + !is_same_letter(a.ptr[i], b.ptr[j]);
            diagonal = row[j + 1];
            row[j + 1] = MIN(replaced, MIN(row[j], row[j + 1]) + 1);
        }
    }
    return row[b.len];
}

void suggestion_offer(struct suggestion *suggestion, struct str known)
{
    struct str word = suggestion->word;
    if (word.len == 0 || word.len > WORD_MAX || known.len == 0 || known.len > WORD_MAX)
        return;
    size_t distance = edit_distance(word, known);
    if (distance > MIN(EDITS_MAX, word.len / 2)) {
        size_t common = MIN(word.len, known.len);
        if (common < PREFIX_MIN ||
            !str_eq_nocase((struct str){word.ptr, common}, (struct str){known.ptr, common}))
            return;
        distance = EDITS_MAX + distance; /* behind everything that edits reach */
    }
    if (distance < suggestion->distance) {
        suggestion->best = known;
        suggestion->distance = distance;
    }
}
