/* SPDX-License-Identifier: Apache-2.0 */
/* fairlead-load: boot, run, report. */
#include "load.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define REQUEST_MAX ((size_t)1 << 30)
#define REFERENCE_MAX ((size_t)64 << 20)

static struct load load; /* one a process, and large */

static void read_options(int argc, char **argv)
{
    char memory[4096];
    struct buf text;
    buf_init_fixed(&text, memory, sizeof(memory));
    if (load_options_parse(argc - 1, argv + 1, &load.options, &text) != ERR_OK) {
        fprintf(stderr, "fairlead-load: " STR_FMT " (--help tells what there is)\n", STR_ARG(buf_str(&text)));
        exit(2);
    }
    if (!load.options.help)
        return;
    load_options_help(&text);
    fwrite(text.ptr, 1, text.len, stdout);
    exit(0);
}

int main(int argc, char **argv)
{
    read_options(argc, argv);
    signal(SIGPIPE, SIG_IGN);
    if (loop_init(&load.loop) != ERR_OK) {
        perror("fairlead-load");
        return 1;
    }
    list_init(&load.idle);
    list_init(&load.busy);
    buf_init(&load.request, REQUEST_MAX);
    buf_init(&load.reference, REFERENCE_MAX);
    plan_start(&load);
    loop_run(&load.loop);
    report_print(&load);
    fflush(stdout);
    _Exit(0); /* thousands of open connections are the kernel's to close */
}
