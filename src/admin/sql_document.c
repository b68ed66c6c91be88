/* SPDX-License-Identifier: Apache-2.0 */
/* SQLite itself reads the schema: a store without rows says which columns there are, and keeps the text of each
 * CREATE TABLE, whose comments say what they mean. Views are made in it as tables, so that one function describes all. */
#include "admin/sql_document.h"

#include "admin/generation.h"
#include "admin/sql_views.h"
#include "store/db.h"

static const struct {
    const char *pattern, *help;
} commands[] = {
#define COMMAND(pattern, run, help) {pattern, help},
#define SHOW(pattern, select, like_column, help) {pattern, help},
#include "admin/sql_commands.def"
};

static const char *const mysql_variables[] = {
#define VARIABLE(name, type, value) #name,
#include "admin/sql_variables.def"
#undef VARIABLE
};

static const char introduction[] = "# SQL tables, views and commands\n"
                                   "\n"
                                   "<!-- Written by `fairlead docs sql` from src/store/schema and the tables "
                                   "in src/admin. Change it there. -->\n"
                                   "\n"
                                   "[sql.md](sql.md) says how they are used.\n";

/* ---- comments of the schema ---- */

static struct str next_line(struct str *io_text)
{
    ssize_t end = str_find(*io_text, STR("\n"));
    struct str line = {io_text->ptr, end < 0 ? io_text->len : (size_t)end};
    *io_text = str_from_offset(*io_text, MIN(line.len + 1, io_text->len));
    return line;
}

static struct str comment_of(struct str line)
{
    ssize_t at = str_find(line, STR("-- "));
    return at < 0 ? STR("") : str_trim(str_from_offset(line, (size_t)at + 3));
}

/* Of the line that begins with the column's name. */
static struct str column_comment(struct str create, struct str column)
{
    while (create.len > 0) {
        struct str full = next_line(&create), line = str_trim(full);
        if (line.len > column.len && str_starts(line, column) && line.ptr[column.len] == ' ')
            return comment_of(line);
    }
    return STR("");
}

/* ---- columns ---- */

static void write_default(struct buf *out, sqlite3_stmt *column)
{
    bool is_required = sqlite3_column_int(column, 2),
         has_default = sqlite3_column_type(column, 3) != SQLITE_NULL;
    bool is_given = str_eq(db_column_str(column, 1), STR("INTEGER")) && sqlite3_column_int(column, 4) > 0;
    if (has_default)
        buf_printf(out, "`" STR_FMT "`", STR_ARG(db_column_str(column, 3)));
    else if (is_given && !is_required)
        buf_add(out, STR("next number"));
    else if (is_required || sqlite3_column_int(column, 4) > 0)
        buf_add(out, STR("required"));
    else
        buf_add(out, STR("`NULL`"));
}

static void write_table_column(struct buf *out, sqlite3_stmt *column, struct str create)
{
    struct str name = db_column_str(column, 0), type = db_column_str(column, 1);
    struct str comment = column_comment(create, name);
    buf_printf(out, "| `" STR_FMT "` | " STR_FMT " | ", STR_ARG(name), STR_ARG(type));
    write_default(out, column);
    if (comment.len > 0)
        buf_printf(out, " | " STR_FMT " |\n", STR_ARG(comment));
    else
        buf_add(out, STR(" | |\n"));
}

/* Calls for each column with a row of name, type, notnull, default, place in the primary key. */
static enum err each_column(struct db *db, struct str table, struct str create, struct buf *out,
                            void (*each)(struct buf *out, sqlite3_stmt *column, struct str create), char *why)
{
    bool is_row = false;
    sqlite3_stmt *stmt =
        db_prepare(db, "SELECT name, type, \"notnull\", dflt_value, pk FROM pragma_table_info(?)", why);
    if (!stmt)
        return db_error(db, why);
    db_bind_str(stmt, 1, table);
    enum err err = db_step(db, stmt, &is_row, why);
    while (err == ERR_OK && is_row) {
        each(out, stmt, create);
        err = db_step(db, stmt, &is_row, why);
    }
    sqlite3_finalize(stmt);
    return err;
}

/* ---- tables ---- */

static enum err write_table(struct db *db, struct str name, struct str create, struct buf *out, char *why)
{
    struct str rest = create, comment = comment_of(next_line(&rest));
    buf_printf(out, "\n### " STR_FMT "\n\n", STR_ARG(name));
    if (comment.len > 0)
        buf_printf(out, STR_FMT "\n\n", STR_ARG(comment));
    if (!generation_covers(name))
        buf_add(out, STR("Only Fairlead writes it.\n\n"));
    buf_add(out, STR("| Column | Type | Default | Meaning |\n| --- | --- | --- | --- |\n"));
    return each_column(db, name, create, out, write_table_column, why);
}

static enum err write_tables(struct db *db, struct buf *out, char *why)
{
    bool is_row = false;
    sqlite3_stmt *stmt = db_prepare(
        db,
        "SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY rowid",
        why);
    if (!stmt)
        return db_error(db, why);
    buf_add(out, STR("\n## Tables\n"));
    enum err err = db_step(db, stmt, &is_row, why);
    while (err == ERR_OK && is_row) {
        err = write_table(db, db_column_str(stmt, 0), db_column_str(stmt, 1), out, why);
        if (err == ERR_OK)
            err = db_step(db, stmt, &is_row, why);
    }
    sqlite3_finalize(stmt);
    return err;
}

/* ---- views ---- */

static bool is_ours(const struct sql_view *view)
{
    return str_eq(str_from(view->schema), STR("fairlead"));
}

static void write_view_column(struct buf *out, sqlite3_stmt *column, struct str create)
{
    struct str type = db_column_str(column, 1);
    (void)create;
    buf_printf(out, " `" STR_FMT "`", STR_ARG(db_column_str(column, 0)));
    if (type.len > 0)
        buf_printf(out, " " STR_FMT, STR_ARG(type));
    buf_add_char(out, ',');
}

/* `definition`: "TABLE name (columns)" or "VIEW name AS select", which SQLite can describe. */
static enum err write_view(struct db *db, const char *name, struct str definition, struct buf *out, char *why)
{
    struct buf sql;
    buf_init(&sql, (size_t)1 << 16);
    buf_printf(&sql, "CREATE " STR_FMT, STR_ARG(definition));
    buf_add_char(&sql, '\0');
    enum err err = buf_ok(&sql) ? db_exec(db, sql.ptr, why) : ERR_NO_MEMORY;
    buf_free(&sql);
    if (err != ERR_OK)
        return err;
    buf_printf(out, "| `%s` |", name);
    err = each_column(db, str_from(name), STR(""), out, write_view_column, why);
    if (buf_ok(out))
        out->len--; /* the last comma */
    buf_add(out, STR(" |\n"));
    return err;
}

static enum err write_views(struct db *db, struct buf *out, char *why)
{
    struct buf definition;
    enum err err = ERR_OK;
    buf_init(&definition, (size_t)1 << 16);
    buf_add(out, STR("\n## Views\n\nThey can only be read. Columns are in this order.\n\n"
                     "| View | Columns |\n| --- | --- |\n"));
    for (size_t i = 0; i < sql_view_count && err == ERR_OK; i++) {
        buf_clear(&definition);
        buf_printf(&definition, "TABLE %s (%s)", sql_views[i].name, sql_views[i].columns);
        if (is_ours(&sql_views[i]))
            err = write_view(db, sql_views[i].name, buf_str(&definition), out, why);
    }
    for (size_t i = 0; i < sql_named_view_count && err == ERR_OK; i++) {
        buf_clear(&definition);
        buf_printf(&definition, "VIEW %s AS %s", sql_named_views[i].name, sql_named_views[i].select);
        err = write_view(db, sql_named_views[i].name, buf_str(&definition), out, why);
    }
    buf_free(&definition);
    return err;
}

static void write_information_schema(struct buf *out)
{
    const char *separator = "";
    buf_add(out, STR("\n## information_schema\n\n"));
    for (size_t i = 0; i < sql_view_count; i++) {
        if (is_ours(&sql_views[i]))
            continue;
        buf_printf(out, "%s`%s`", separator, sql_views[i].name);
        if (sql_views[i].fill == fill_nothing)
            buf_add(out, STR(" (always empty)"));
        separator = ",\n";
    }
    buf_add(out, STR(".\n"));
}

/* ---- commands and variables ---- */

/* A bar would end the table's cell. */
static void write_escaped(struct buf *out, const char *text)
{
    for (; *text; text++)
        buf_printf(out, "%s%c", *text == '|' ? "\\" : "", *text);
}

static void write_commands(struct buf *out)
{
    buf_add(
        out,
        STR("\n## Commands\n\n"
            "`A|B`: one of them. `$`: a name, text, number or question mark. `[...]`: may be left out. "
            "`...`: anything.\n`~`: `LIKE 'pattern'`, `WHERE expression`, or nothing. The first that fits a "
            "statement counts; what fits none is SQL.\n\n"
            "| Command | |\n| --- | --- |\n"));
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        buf_add(out, STR("| `"));
        write_escaped(out, commands[i].pattern);
        buf_printf(out, "` | %s |\n", commands[i].help);
    }
}

static void write_variables(struct buf *out)
{
    buf_add(out,
            STR("\n## Variables of MySQL\n\n"
                "Beside the settings of [configuration.md](configuration.md). `SET` accepts them and changes "
                "nothing, but for `autocommit`.\n\n"));
    for (size_t i = 0; i < ARRAY_LEN(mysql_variables); i++)
        buf_printf(out, "%s`%s`", i > 0 ? ",\n" : "", mysql_variables[i]);
    buf_add(out, STR(".\n"));
}

enum err sql_document(struct buf *out, char *why)
{
    struct db db;
    enum err err = db_open_empty(&db, why);
    if (err != ERR_OK)
        return err;
    buf_add(out, str_from(introduction));
    err = write_tables(&db, out, why);
    if (err == ERR_OK)
        err = write_views(&db, out, why);
    db_close(&db);
    write_information_schema(out);
    write_commands(out);
    write_variables(out);
    return err;
}
