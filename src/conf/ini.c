/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/ini.h"

#define SHOWN_MAX 64 /* bytes of a line that a message repeats */
#define BYTE_ORDER_MARK STR("\xef\xbb\xbf")

struct reader {
    struct diagnostics *diagnostics;
    struct ini_entry *entries;
    size_t count;
    struct str section;
    struct mark section_mark;
    unsigned line;   /* number of the one that is read */
    struct str text; /* that line */
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static struct mark mark_of(const struct reader *reader, const char *place)
{
    return (struct mark){reader->line, (unsigned)(place - reader->text.ptr) + 1};
}

static void report(struct reader *reader, const char *place, const char *what)
{
    diagnostic_add(reader->diagnostics, mark_of(reader, place), STR_NONE, "%s", what);
}

static void report_value(struct reader *reader, struct ini_entry *entry, const char *place, const char *what)
{
    entry->is_broken = true;
    report(reader, place, what);
}

/* The next line without its end; moves `io_rest` behind it. */
static struct str take_line(struct str *io_rest)
{
    ssize_t end = str_find(*io_rest, STR("\n"));
    struct str line = {io_rest->ptr, end < 0 ? io_rest->len : (size_t)end};
    *io_rest = str_from_offset(*io_rest, line.len + 1);
    if (line.len > 0 && line.ptr[line.len - 1] == '\r')
        line.len--;
    return line;
}

static struct str skip_byte_order_mark(struct str text)
{
    return str_starts(text, BYTE_ORDER_MARK) ? str_from_offset(text, BYTE_ORDER_MARK.len) : text;
}

static bool is_comment(struct str trimmed)
{
    return trimmed.len == 0 || trimmed.ptr[0] == '#' || trimmed.ptr[0] == ';';
}

/* "[name]", perhaps with a comment behind. */
static bool parse_header(struct str trimmed, struct str *ret_name)
{
    ssize_t end = str_find(trimmed, STR("]"));
    if (end < 0 || !is_comment(str_trim(str_from_offset(trimmed, (size_t)end + 1))))
        return false;
    *ret_name = str_trim((struct str){trimmed.ptr + 1, (size_t)end - 1});
    return true;
}

static void read_quoted(struct reader *reader, struct str text, struct ini_entry *entry)
{
    struct str quote = {text.ptr, 1}, inner = str_from_offset(text, 1);
    ssize_t end = str_find(inner, quote);
    if (end < 0) {
        report_value(reader, entry, text.ptr, "the quote is not closed in this line");
        return;
    }
    struct str behind = str_trim(str_from_offset(inner, (size_t)end + 1));
    if (!is_comment(behind))
        report_value(reader, entry, behind.ptr, "text behind a value in quotes");
    entry->value = (struct str){inner.ptr, (size_t)end};
}

/* Some readers end a value at any '#', others only at one behind a blank: a key cut short would be a riddle. */
static void read_plain(struct reader *reader, struct str text, struct ini_entry *entry)
{
    size_t len = 0;
    for (; len < text.len && text.ptr[len] != '#' && text.ptr[len] != ';'; len++)
        ;
    if (len < text.len && len > 0 && !is_blank(text.ptr[len - 1]))
        report_value(reader, entry, text.ptr + len,
                     "a '#' or ';' inside of a value: put the value in quotes, or a blank before a comment");
    entry->value = str_trim((struct str){text.ptr, len});
}

static void read_entry(struct reader *reader, struct str trimmed)
{
    ssize_t equals = str_find(trimmed, STR("="));
    struct str key = str_trim((struct str){trimmed.ptr, equals < 0 ? 0 : (size_t)equals});
    if (key.len == 0) {
        diagnostic_add(reader->diagnostics, mark_of(reader, trimmed.ptr), STR_NONE,
                       "not 'key = value', a [section] or a # comment: '" STR_FMT "'",
                       (int)MIN(trimmed.len, SHOWN_MAX), trimmed.ptr);
        return;
    }
    struct str value = str_trim(str_from_offset(trimmed, (size_t)equals + 1));
    struct ini_entry *entry = &reader->entries[reader->count++];
    *entry = (struct ini_entry){.section = reader->section,
                                .section_mark = reader->section_mark,
                                .key = key,
                                .key_mark = mark_of(reader, key.ptr),
                                .mark = mark_of(reader, value.ptr)};
    if (value.len > 0 && (value.ptr[0] == '"' || value.ptr[0] == '\''))
        read_quoted(reader, value, entry);
    else
        read_plain(reader, value, entry);
}

/* Bytes of the character at `at`; 0: it is none (RFC 3629, section 4). */
static size_t utf8_len(const unsigned char *at, size_t left)
{
    static const struct {
        unsigned char first, last, second_min, second_max, len;
    } forms[] = {
        {0x00, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
        {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        size_t len = forms[i].len;
        if (at[0] < forms[i].first || at[0] > forms[i].last)
            continue;
        if (len > left || (len > 1 && (at[1] < forms[i].second_min || at[1] > forms[i].second_max)))
            return 0;
        for (size_t j = 2; j < len; j++)
            if ((at[j] & 0xc0) != 0x80)
                return 0;
        return len;
    }
    return 0;
}

static bool is_printable(struct reader *reader, struct str line)
{
    size_t len;
    for (size_t i = 0; i < line.len; i += len) {
        unsigned char c = (unsigned char)line.ptr[i];
        len = utf8_len((const unsigned char *)line.ptr + i, line.len - i);
        if (len > 0 && (c >= ' ' || c == '\t') && c != 0x7f)
            continue;
        report(reader, line.ptr + i, len > 0 ? "a control character" : "bytes that are not UTF-8");
        return false;
    }
    return true;
}

static void read_line(struct reader *reader, struct str line)
{
    struct str trimmed = str_trim(line);
    reader->text = line;
    if (is_comment(trimmed) || !is_printable(reader, line))
        return;
    if (trimmed.ptr[0] != '[') {
        read_entry(reader, trimmed);
    } else if (parse_header(trimmed, &reader->section)) {
        reader->section_mark = mark_of(reader, trimmed.ptr);
    } else {
        report(reader, trimmed.ptr, "not a section's name in brackets");
    }
}

static size_t count_lines(struct str text)
{
    size_t lines = 1;
    for (size_t i = 0; i < text.len; i++)
        lines += text.ptr[i] == '\n';
    return lines;
}

enum err ini_read(struct str text, struct arena *arena, struct diagnostics *io_diagnostics,
                  struct ini_entry **ret_entries, size_t *ret_count)
{
    struct reader reader = {.diagnostics = io_diagnostics, .section = STR("")};
    struct str rest = skip_byte_order_mark(text);
    size_t lines = count_lines(rest);
    *ret_entries = NULL;
    *ret_count = 0;
    if (lines > INI_LINES_MAX) {
        diagnostic_add(io_diagnostics, (struct mark){0}, STR_NONE, "more than %d lines", INI_LINES_MAX);
        return ERR_OK;
    }
    reader.entries = ARENA_NEW_ARRAY(arena, struct ini_entry, lines);
    if (!reader.entries)
        return ERR_NO_MEMORY;
    while (rest.len > 0) {
        reader.line++;
        read_line(&reader, take_line(&rest));
    }
    *ret_entries = reader.entries;
    *ret_count = reader.count;
    return ERR_OK;
}

struct str ini_first_section(struct str text)
{
    struct str name = STR(""), rest = skip_byte_order_mark(text);
    while (rest.len > 0) {
        struct str trimmed = str_trim(take_line(&rest));
        if (is_comment(trimmed))
            continue;
        return trimmed.ptr[0] == '[' && parse_header(trimmed, &name) ? name : STR("");
    }
    return name;
}
