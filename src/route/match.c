/* SPDX-License-Identifier: Apache-2.0 */
#include "route/match.h"

#include "route/glob.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#define REGEX_DEPTH_MAX 10000u   /* the interpreter only, where there is no JIT */
#define REGEX_HEAP_MAX_KIB 1024u /* likewise */
#define JIT_STACK_BYTES_MIN 32768u
#define JIT_STACK_BYTES_MAX 524288u
#define REGEX_PATTERN_BYTES_MAX ((size_t)16384)

enum err match_scratch_init(struct match_scratch *scratch)
{
    struct match_scratch made = {
        .data = pcre2_match_data_create(1, NULL),
        .context = pcre2_match_context_create(NULL),
        .stack = pcre2_jit_stack_create(JIT_STACK_BYTES_MIN, JIT_STACK_BYTES_MAX, NULL),
    };
    /* The stack may be missing: a build without JIT has none to give. */
    if (!made.data || !made.context) {
        match_scratch_fini(&made);
        return ERR_NO_MEMORY;
    }
    pcre2_set_match_limit(made.context, MATCH_STEPS_MAX);
    pcre2_set_depth_limit(made.context, REGEX_DEPTH_MAX);
    pcre2_set_heap_limit(made.context, REGEX_HEAP_MAX_KIB);
    if (made.stack)
        pcre2_jit_stack_assign(made.context, NULL, made.stack);
    *scratch = made;
    return ERR_OK;
}

void match_scratch_fini(struct match_scratch *scratch)
{
    pcre2_match_data_free(scratch->data);
    pcre2_match_context_free(scratch->context);
    pcre2_jit_stack_free(scratch->stack);
    *scratch = (struct match_scratch){0};
}

static enum err fault(struct buf *error, const char *text, size_t offset)
{
    if (error)
        buf_printf(error, "%s at offset %zu", text, offset);
    return ERR_INVALID;
}

/* NULL on failure, with the error in `error` (may be NULL). */
static pcre2_code *regex_compile(struct str pattern, uint32_t scope_options, struct buf *error)
{
    int code = 0;
    PCRE2_SIZE offset = 0;
    /* Automatic possessification would hide steps from the limit. */
    uint32_t options = PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C | PCRE2_NO_AUTO_POSSESS |
                       PCRE2_ANCHORED | scope_options;
    pcre2_code *regex = pcre2_compile((PCRE2_SPTR)pattern.ptr, pattern.len, options, &code, &offset, NULL);
    if (!regex) {
        PCRE2_UCHAR text[160];
        pcre2_get_error_message(code, text, sizeof(text));
        (void)fault(error, (const char *)text, (size_t)offset);
    }
    return regex;
}

static enum err search_compile(struct str pattern, struct buf *error, pcre2_code **ret_regex)
{
    char memory[REGEX_PATTERN_BYTES_MAX + 32];
    struct buf wrapped;
    buf_init_fixed(&wrapped, memory, sizeof(memory));
    buf_add(&wrapped, STR("(?s:.*?)(?:"));
    buf_add(&wrapped, pattern);
    buf_add(&wrapped, STR("\\E)"));
    ASSERT(buf_ok(&wrapped));
    pcre2_code *regex = regex_compile(buf_str(&wrapped), 0, NULL);
    if (!regex)
        return fault(error, "a leading verb or an open comment cannot be searched for,", 0);
    *ret_regex = regex;
    return ERR_OK;
}

static enum err match_compile_regex(struct match *match, struct buf *error)
{
    if (match->pattern.len > REGEX_PATTERN_BYTES_MAX)
        return fault(error, "expression is too long", REGEX_PATTERN_BYTES_MAX);
    /* First as the operator wrote it, so that offsets are about that text. */
    pcre2_code *regex =
        regex_compile(match->pattern, match->scope == MATCH_WHOLE ? PCRE2_ENDANCHORED : 0, error);
    if (!regex)
        return ERR_INVALID;
    if (match->scope == MATCH_SEARCH) {
        pcre2_code_free(regex);
        enum err err = search_compile(match->pattern, error, &regex);
        if (err != ERR_OK)
            return err;
    }
    /* Without JIT the interpreter does the same, slower: so its failure is none. */
    (void)pcre2_jit_compile(regex, PCRE2_JIT_COMPLETE);
    match->code = regex;
    return ERR_OK;
}

enum err match_compile(struct arena *arena, const struct match_config *config, enum match_scope scope,
                       struct buf *error, struct match *ret_match)
{
    struct match match = {.kind = config->kind, .scope = scope};
    match.pattern = arena_dup(arena, config->pattern);
    if (!match.pattern.ptr)
        return ERR_NO_MEMORY;
    if (match.kind == MATCH_GLOB) {
        ssize_t at = glob_find_fault(match.pattern);
        if (at >= 0)
            return fault(error, "bracket is never closed", (size_t)at);
        match.literal = !glob_has_specials(match.pattern);
    }
    if (match.kind == MATCH_REGEX) {
        enum err err = match_compile_regex(&match, error);
        if (err != ERR_OK)
            return err;
    }
    *ret_match = match;
    return ERR_OK;
}

void match_fini(struct match *match)
{
    pcre2_code_free(match->code);
    match->code = NULL;
}

static enum match_verdict regex_test(const struct match *match, struct str text,
                                     struct match_scratch *scratch)
{
    if (match->scope == MATCH_SEARCH)
        text.len = MIN(text.len, MATCH_SEARCH_BYTES_MAX);
    PCRE2_SPTR subject = (PCRE2_SPTR)(text.ptr ? text.ptr : "");
    int found = pcre2_match(match->code, subject, text.len, 0, 0, scratch->data, scratch->context);
    if (found >= 0) {
        /* In text that is not UTF-8 the end of a valid piece passes for the end. */
        bool whole = pcre2_get_ovector_pointer(scratch->data)[1] == text.len;
        return match->scope == MATCH_SEARCH || whole ? VERDICT_YES : VERDICT_NO;
    }
    if (found == PCRE2_ERROR_NOMATCH)
        return VERDICT_NO;
    scratch->limit_hits++;
    return VERDICT_LIMIT;
}

enum match_verdict match_test(const struct match *match, struct str text, struct match_scratch *scratch)
{
    switch (match->kind) {
    case MATCH_ANY:
        return VERDICT_YES;
    case MATCH_GLOB:
        if (match->literal)
            return str_eq(match->pattern, text) ? VERDICT_YES : VERDICT_NO;
        return glob_match(match->pattern, text) ? VERDICT_YES : VERDICT_NO;
    case MATCH_REGEX:
        return regex_test(match, text, scratch);
    }
    return VERDICT_NO;
}

bool match_is_pattern(void *context, const struct match_config *config, bool is_search, struct buf *why)
{
    struct arena arena;
    struct match match;
    (void)context;
    arena_init(&arena, NULL);
    bool good = match_compile(&arena, config, is_search ? MATCH_SEARCH : MATCH_WHOLE, why, &match) == ERR_OK;
    if (good)
        match_fini(&match);
    arena_fini(&arena);
    return good;
}
