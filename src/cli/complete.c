/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/complete.h"

#include "cli/lexeme.h"

#include <ctype.h>

#define PHRASE_WORDS_MAX 8

static const struct str phrases[] = {
#define PHRASE(words) STR(words),
#define WORD(word)
#include "cli/words.def"
#undef PHRASE
#undef WORD
};

static const struct str words[] = {
#define PHRASE(words)
#define WORD(word) STR(word),
#include "cli/words.def"
#undef PHRASE
#undef WORD
};

/* Where the cursor stands. */
struct place {
    struct str recent[PHRASE_WORDS_MAX]; /* first words of the statement before the one being typed */
    size_t count;                        /* of all words before it, which may be more */
    struct str last;                     /* the one just before it */
    struct str prefix;                   /* what is typed of the word; up to a dot it is `owner` */
    struct str owner;                    /* t of "t.na" */
    bool is_text;                        /* within a quotation or comment: nothing is offered */
};

struct search {
    struct completion *found;
    struct arena *arena;
    struct str prefix;
    bool is_lower; /* words of SQL follow the typist's case */
    bool is_short; /* of memory */
};

static bool starts_nocase(struct str s, struct str prefix)
{
    return s.len >= prefix.len && str_eq_nocase((struct str){s.ptr, prefix.len}, prefix);
}

static void begin_statement(struct place *place)
{
    *place = (struct place){0};
}

static void end_word(struct place *place)
{
    if (place->prefix.len == 0 && place->owner.len == 0)
        return;
    if (place->count < PHRASE_WORDS_MAX)
        place->recent[place->count] = place->prefix;
    place->count++;
    place->last = place->prefix;
    place->prefix = place->owner = STR_NONE;
}

static void take_code(struct place *place, struct str code)
{
    bool is_word = code.len > 1 || isalnum((unsigned char)code.ptr[0]) || strchr("_$", code.ptr[0]);
    if (code.ptr[0] == '.' && place->prefix.len > 0) {
        place->owner = place->prefix;
        place->prefix = (struct str){code.ptr + 1, 0};
    } else if (is_word && place->owner.len > 0 && place->prefix.len == 0) {
        place->prefix = code;
    } else {
        end_word(place);
        place->prefix = code;
        if (!is_word)
            end_word(place);
    }
}

static struct place find_place(struct str before)
{
    struct place place = {0};
    struct lexeme_span span;
    for (size_t at = 0; at < before.len; at += span.len) {
        struct str rest = str_from_offset(before, at);
        span = lexeme_read(before, at, 0);
        place.is_text = !span.is_closed || (span.kind == LEXEME_LINE_COMMENT && span.len == rest.len);
        if (!span.is_closed)
            break;
        if (span.kind == LEXEME_SEMICOLON)
            begin_statement(&place);
        else if (span.kind == LEXEME_CODE)
            take_code(&place, (struct str){rest.ptr, span.len});
        else
            end_word(&place);
    }
    return place;
}

/* ---- what is found ---- */

static size_t common_length(struct str a, struct str b)
{
    size_t len = 0;
    while (len < a.len && len < b.len &&
           str_eq_nocase((struct str){a.ptr + len, 1}, (struct str){b.ptr + len, 1}))
        len++;
    return len;
}

static void add(struct search *search, struct str word)
{
    struct completion *found = search->found;
    if (!starts_nocase(word, search->prefix))
        return;
    for (size_t i = 0; i < found->count; i++) {
        if (str_eq_nocase(found->words[i], word))
            return;
    }
    if (found->count == COMPLETIONS_MAX) {
        found->is_cut = true;
        return;
    }
    found->common = found->count == 0 ? word.len : MIN(found->common, common_length(found->words[0], word));
    found->words[found->count++] = word;
}

/* A word of SQL, which is written as the typist writes. */
static void add_keyword(struct search *search, struct str word)
{
    if (!search->is_lower || !starts_nocase(word, search->prefix)) {
        add(search, word);
        return;
    }
    char *lower = arena_take(search->arena, word.len);
    if (!lower) {
        search->is_short = true;
        return;
    }
    for (size_t i = 0; i < word.len; i++)
        lower[i] = (char)(word.ptr[i] >= 'A' && word.ptr[i] <= 'Z' ? word.ptr[i] | 0x20 : word.ptr[i]);
    add(search, (struct str){lower, word.len});
}

/* Cuts the first word off `io_rest`; empty at the end. */
static struct str next_word(struct str *io_rest)
{
    const char *space = memchr(io_rest->ptr, ' ', io_rest->len);
    struct str word = {io_rest->ptr, space ? (size_t)(space - io_rest->ptr) : io_rest->len};
    *io_rest = str_from_offset(*io_rest, word.len + (space != NULL));
    return word;
}

/* The word of `phrase` that follows all the words before the cursor; empty: others stand there. */
static struct str phrase_next(struct str phrase, const struct place *place)
{
    if (place->count >= PHRASE_WORDS_MAX)
        return STR_NONE;
    for (size_t i = 0; i < place->count; i++) {
        struct str word = next_word(&phrase);
        if (word.len == 0 || !str_eq_nocase(word, place->recent[i]))
            return STR_NONE;
    }
    return next_word(&phrase);
}

static void add_phrases(struct search *search, const struct place *place)
{
    for (size_t i = 0; i < ARRAY_LEN(phrases); i++) {
        struct str word = phrase_next(phrases[i], place);
        if (word.len > 0)
            add_keyword(search, word);
    }
}

static void add_tables(struct search *search, const struct catalog *catalog)
{
    for (size_t i = 0; i < catalog->count; i++) {
        if (i == 0 || !str_eq(catalog->columns[i].table, catalog->columns[i - 1].table))
            add(search, catalog->columns[i].table);
    }
}

/* Of the table `owner`; empty: of all tables. */
static void add_columns(struct search *search, const struct catalog *catalog, struct str owner)
{
    for (size_t i = 0; i < catalog->count; i++) {
        if (owner.len == 0 || str_eq_nocase(catalog->columns[i].table, owner))
            add(search, catalog->columns[i].name);
    }
}

static bool wants_table(const struct place *place)
{
    static const struct str before[] = {STR("FROM"),  STR("JOIN"),     STR("INTO"), STR("UPDATE"),
                                        STR("TABLE"), STR("DESCRIBE"), STR("DESC")};
    for (size_t i = 0; i < ARRAY_LEN(before); i++) {
        if (str_eq_nocase(place->last, before[i]))
            return !str_eq_nocase(place->last, STR("DESC")) || place->count == 1;
    }
    return false;
}

static void search_all(struct search *search, const struct place *place, const struct catalog *catalog)
{
    if (place->owner.len > 0) {
        add_columns(search, catalog, place->owner);
        return;
    }
    if (wants_table(place)) {
        add_tables(search, catalog);
        return;
    }
    add_phrases(search, place);
    if (place->count > 0 && search->found->count > 0)
        return;
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        add_keyword(search, words[i]);
    if (place->count > 0) {
        add_tables(search, catalog);
        add_columns(search, catalog, STR_NONE);
    }
}

bool complete(struct str before, const struct catalog *catalog, struct arena *arena,
              struct completion *ret_completion)
{
    struct place place = find_place(before);
    *ret_completion = (struct completion){.typed = place.prefix.len};
    struct search search = {.found = ret_completion, .arena = arena, .prefix = place.prefix};
    struct str sample = place.prefix.len > 0 ? place.prefix : place.recent[0];
    search.is_lower = sample.len > 0 && islower((unsigned char)sample.ptr[0]);
    if (!place.is_text)
        search_all(&search, &place, catalog);
    return !search.is_short;
}
