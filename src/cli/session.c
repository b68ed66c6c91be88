/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/session.h"

#include "cli/complete.h"
#include "cli/remember.h"
#include "cli/text.h"
#include "cli/waiting.h"

#include <errno.h>
#include <histedit.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wchar.h>

#define HISTORY_SIZE 1000
#define HISTORY_LINE_MAX ((size_t)64 * 1024)

struct session {
    struct console *console; /* borrowed */
    struct splitter splitter;
    EditLine *editor;
    History *history;
    char history_path[4096]; /* empty: no home */
    bool was_interrupted;    /* the line being edited */
};

static struct session *session_of(EditLine *editor)
{
    struct session *session = NULL;
    el_get(editor, EL_CLIENTDATA, &session);
    return session;
}

static char *prompt(EditLine *editor)
{
    static char first[] = "fairsql> ", next[] = "      -> ";
    return splitter_is_open(&session_of(editor)->splitter) ? next : first;
}

/* ---- keys ---- */

/* Characters as the terminal sends them; -1 ends the line: Ctrl-C, or the terminal is gone. */
static int read_key(EditLine *editor, wchar_t *ret_key)
{
    struct session *session = session_of(editor);
    mbstate_t state = {0};
    while (true) {
        char byte;
        enum waited waited = waiting_for(STDIN_FILENO, POLLIN, -1);
        if (waited == WAITED_INTERRUPT) {
            session->was_interrupted = true;
            return -1;
        }
        if (waited != WAITED_READY) {
            el_set(editor, EL_REFRESH);
            continue;
        }
        ssize_t got = read(STDIN_FILENO, &byte, 1);
        if (got <= 0)
            return got == 0 ? 0 : -1;
        size_t len = mbrtowc(ret_key, &byte, 1, &state);
        if (len == (size_t)-1)
            state = (mbstate_t){0}; /* no character: left out */
        else if (len != (size_t)-2)
            return 1;
    }
}

/* ---- completion ---- */

static size_t terminal_width(void)
{
    struct winsize size;
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

/* The words side by side, below the line. */
static void list_words(const struct completion *found)
{
    size_t widest = 0;
    for (size_t i = 0; i < found->count; i++)
        widest = MAX(widest, text_show(NULL, found->words[i], false));
    size_t in_line = MAX(terminal_width() / (widest + 2), 1);
    struct buf out;
    buf_init(&out, (size_t)1 << 20);
    for (size_t i = 0; i < found->count; i++) {
        buf_add(&out, i % in_line == 0 ? STR("\n") : STR_NONE);
        size_t width = text_show(&out, found->words[i], false);
        text_repeat(&out, ' ', widest + 2 - width);
    }
    buf_add(&out, found->is_cut ? STR("\n...\n") : STR("\n"));
    fwrite(out.ptr, 1, out.len, stdout);
    fflush(stdout);
    buf_free(&out);
}

static bool insert(EditLine *editor, struct str text, const char *behind)
{
    char copy[1024];
    if (text.len + strlen(behind) >= sizeof(copy))
        return false;
    snprintf(copy, sizeof(copy), STR_FMT "%s", STR_ARG(text), behind);
    return el_insertstr(editor, copy) == 0;
}

/* One word: it is typed; several: what they share, or they are listed. */
static unsigned char offer(EditLine *editor, const struct completion *found)
{
    if (found->count == 0)
        return CC_REFRESH_BEEP;
    struct str word = {found->words[0].ptr, found->common};
    bool is_alone = found->count == 1;
    if (is_alone || found->common > found->typed) {
        /* Typed anew: the word's own case goes first. */
        el_deletestr(editor, (int)found->typed);
        return insert(editor, word, is_alone ? " " : "") ? CC_REFRESH : CC_ERROR;
    }
    list_words(found);
    return CC_REDISPLAY;
}

static unsigned char on_tab(EditLine *editor, wint_t key)
{
    (void)key;
    struct session *session = session_of(editor);
    const LineInfo *line = el_line(editor);
    struct completion found;
    struct arena arena;
    struct buf before;
    unsigned char result = CC_ERROR;
    arena_init(&arena, NULL);
    buf_init(&before, STATEMENT_MAX);
    buf_add(&before, str_from_offset(buf_str(&session->splitter.text), session->splitter.start));
    buf_add(&before, (struct str){line->buffer, (size_t)(line->cursor - line->buffer)});
    if (buf_ok(&before) && complete(buf_str(&before), &session->console->catalog, &arena, &found))
        result = offer(editor, &found);
    buf_free(&before);
    arena_fini(&arena);
    return result;
}

/* ---- history ---- */

static void history_start(struct session *session)
{
    HistEvent event;
    const char *home = getenv("HOME");
    history(session->history, &event, H_SETSIZE, HISTORY_SIZE);
    history(session->history, &event, H_SETUNIQUE, 1);
    if (!home || (size_t)snprintf(session->history_path, sizeof(session->history_path), "%s/.fairsql_history",
                                  home) >= sizeof(session->history_path))
        session->history_path[0] = '\0';
    if (session->history_path[0])
        history(session->history, &event, H_LOAD, session->history_path);
}

static void history_end_and_save(struct session *session)
{
    HistEvent event;
    if (session->history_path[0] && history(session->history, &event, H_SAVE, session->history_path) < 0)
        fprintf(stderr, "The history cannot be saved in %s\n", session->history_path);
    history_end(session->history);
}

static void add_history(struct session *session, struct str statement, const char *ending)
{
    HistEvent event;
    struct buf line;
    if (is_confidential(statement))
        return;
    buf_init(&line, HISTORY_LINE_MAX);
    remember_line(statement, &line);
    buf_add(&line, str_from(ending));
    buf_add_char(&line, '\0');
    if (buf_ok(&line)) /* one that is too long to be edited is not kept */
        history(session->history, &event, H_ENTER, line.ptr);
    buf_free(&line);
}

/* ---- life ---- */

static void take_line(struct session *session, struct str line)
{
    struct str text;
    size_t number;
    enum piece piece;
    if (splitter_feed(&session->splitter, line) != ERR_OK) {
        fprintf(stderr, "The statement is longer than 64 MiB and is dropped.\n");
        splitter_clear(&session->splitter);
        return;
    }
    while (!session->console->is_over &&
           (piece = splitter_next(&session->splitter, false, &text, &number)) != PIECE_NONE) {
        if (piece == PIECE_STATEMENT || piece == PIECE_VERTICAL)
            add_history(session, text, piece == PIECE_VERTICAL ? "\\G" : ";");
        console_take(session->console, piece, text, number);
    }
}

static void edit_lines(struct session *session)
{
    while (!session->console->is_over) {
        int len = 0;
        session->was_interrupted = false;
        el_set(session->editor, EL_PREP_TERM, 1); /* before the prompt: who sees it may type Ctrl-D at once */
        const char *line = el_gets(session->editor, &len);
        if (session->was_interrupted) {
            puts("^C");
            splitter_clear(&session->splitter);
        } else if (!line || len <= 0) {
            puts("");
            break;
        } else {
            take_line(session, (struct str){line, (size_t)len});
        }
    }
    puts("Bye");
}

static bool start_editor(struct session *session)
{
    session->history = history_init();
    session->editor = el_init("fairsql", stdin, stdout, stderr);
    if (!session->history || !session->editor)
        return false;
    el_set(session->editor, EL_CLIENTDATA, session);
    el_set(session->editor, EL_PROMPT, prompt);
    el_set(session->editor, EL_EDITOR, "emacs");
    el_set(session->editor, EL_SIGNAL, 1);
    el_set(session->editor, EL_HIST, history, session->history);
    el_set(session->editor, EL_GETCFN, read_key);
    /* el_set would make copies of these names that nobody frees. */
    el_wset(session->editor, EL_ADDFN, L"fairsql-complete", L"Completes the word", on_tab);
    el_set(session->editor, EL_BIND, "^I", "fairsql-complete", NULL);
    el_set(session->editor, EL_BIND, "^R", "em-inc-search-prev", NULL);
    el_source(session->editor, NULL); /* the user's .editrc */
    return true;
}

static void print_banner(struct console *console)
{
    struct buf text;
    buf_init(&text, 4096);
    connection_describe(&console->connection, &text);
    printf("fairsql " FAIRLEAD_VERSION "\n" STR_FMT
           "\nStatements end with ; -- \\h shows help, \\q ends.\n\n",
           STR_ARG(buf_str(&text)));
    buf_free(&text);
}

bool session_run(struct console *console)
{
    struct session session = {.console = console};
    console->is_interactive = true;
    if (waiting_start() != ERR_OK) {
        fprintf(stderr, "fairsql: signals cannot be read: %s\n", strerror(errno));
        return false;
    }
    splitter_init(&session.splitter, STATEMENT_MAX);
    bool has_editor = start_editor(&session);
    if (has_editor) {
        umask(S_IRWXG | S_IRWXO); /* the history file is for its owner alone */
        history_start(&session);
        print_banner(console);
        console_refresh(console);
        edit_lines(&session);
        history_end_and_save(&session);
        el_end(session.editor);
    } else {
        fprintf(stderr, "fairsql: the terminal cannot be used for editing lines\n");
    }
    splitter_fini(&session.splitter);
    return has_editor;
}
