/* SPDX-License-Identifier: Apache-2.0 */
/* fairlead-sim: boot, run, end. */
#include "sim/sim.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define BODY_MAX ((size_t)64 << 20)
#define BODIES_KEPT_MAX ((size_t)64 << 20)
#define ANSWER_MAX ((size_t)32 << 20)        /* made in one piece */
#define LONG_TIME (24 * 3600 * USEC_PER_SEC) /* a test's own time-outs are to be seen, not ours */

static struct sim sim; /* one a process, and large */

NORETURN static void die(const char *format, struct str what)
{
    fprintf(stderr, "fairlead-sim: ");
    fprintf(stderr, format, STR_ARG(what));
    fprintf(stderr, "\n");
    exit(2);
}

static void read_options(int argc, char **argv)
{
    char memory[512];
    struct buf why;
    buf_init_fixed(&why, memory, sizeof(memory));
    if (sim_options_parse(argc - 1, argv + 1, &sim.options, &why) != ERR_OK)
        die(STR_FMT " (--help tells what there is)", buf_str(&why));
    if (!sim.options.help)
        return;
    struct buf help;
    buf_init(&help, 1 << 16);
    sim_options_help(&help);
    fwrite(help.ptr, 1, help.len, stdout);
    buf_free(&help);
    exit(0);
}

/* ---- state ---- */

static void add_models(struct str names)
{
    if (names.len == 0)
        sim.models[sim.model_count++].name = STR("sim-model");
    while (names.len > 0) {
        ssize_t comma = str_find(names, STR(","));
        struct str name = {names.ptr, comma < 0 ? names.len : (size_t)comma};
        names = str_from_offset(names, comma < 0 ? names.len : (size_t)comma + 1);
        if (sim.model_count == MODELS_MAX || name.len == 0)
            die("--models has too many names, or an empty one: " STR_FMT, sim.options.models);
        sim.models[sim.model_count++].name = name;
    }
}

static void init_state(struct loop *loop)
{
    char memory[512];
    struct buf why;
    buf_init_fixed(&why, memory, sizeof(memory));
    sim.loop = loop;
    list_init(&sim.queue);
    recorder_init(&sim.recorder);
    buf_init(&sim.head, 1 << 16);
    buf_init(&sim.body, ANSWER_MAX);
    buf_init(&sim.event, ANSWER_MAX);
    buf_init(&sim.fault_spec, 1 << 16);
    memset(sim.padding, '.', sizeof(sim.padding));
    add_models(sim.options.models);
    if (!sim_reset(&sim, &why))
        die("--fault: " STR_FMT, buf_str(&why));
    sim.reader = json_reader_new(BODY_MAX);
    if (!sim.reader)
        die("out of " STR_FMT, STR("memory"));
    body_pool_init(&sim.bodies, BODIES_KEPT_MAX);
    http_service_init(&sim.service, loop, &sim_handler, &sim.bodies, &sim);
    sim.service.limits = (struct http_conn_limits){
        .head = {.line_bytes = 65536, .head_bytes = 262144, .field_count = HTTP_FIELDS_MAX},
        .body_bytes = BODY_MAX,
        .head_timeout = LONG_TIME,
        .body_timeout = LONG_TIME,
        .idle_timeout = LONG_TIME,
        .write_timeout = LONG_TIME,
    };
}

static void free_state(void)
{
    for (struct sim_request *req = sim.free_requests, *next; req; req = next) {
        next = req->next_free;
        free(req);
    }
    recorder_fini(&sim.recorder);
    buf_free(&sim.head);
    buf_free(&sim.body);
    buf_free(&sim.event);
    buf_free(&sim.fault_spec);
    body_pool_fini(&sim.bodies);
    json_reader_free(sim.reader);
}

/* ---- listening ---- */

static struct address parse_listen(struct str text)
{
    size_t colon = text.len;
    while (colon > 0 && text.ptr[colon - 1] != ':')
        colon--;
    struct str host = {text.ptr, colon > 0 ? colon - 1 : 0};
    if (host.len > 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']')
        host = (struct str){host.ptr + 1, host.len - 2};
    uint64_t port = 0;
    struct address address;
    if (!str_to_u64(str_from_offset(text, colon), &port) || port > 65535 ||
        !address_parse(host, (uint16_t)port, &address))
        die("--listen takes a numeric HOST:PORT, not \"" STR_FMT "\"", text);
    return address;
}

static void on_accept(struct listener *listener, int fd, const struct address *peer)
{
    (void)listener;
    sim.counts.accepted++;
    http_service_accept(&sim.service, fd, peer, NULL, NULL);
}

static void start_listening(struct loop *loop)
{
    struct address address = parse_listen(sim.options.listen);
    int fd = -1;
    if (listener_reserve(&address, &fd) != ERR_OK ||
        listener_open(&sim.listener, loop, &address, fd, on_accept) != ERR_OK) {
        fprintf(stderr, "fairlead-sim: cannot listen on " STR_FMT ": %s\n", STR_ARG(sim.options.listen),
                strerror(errno));
        exit(1);
    }
    char text[ADDRESS_TEXT_MAX];
    printf("fairlead-sim listening http://" STR_FMT "\n", STR_ARG(address_format(&address, text)));
    fflush(stdout);
}

/* ---- the end ---- */

static uv_signal_t on_term, on_int;

static void on_empty(struct http_service *service)
{
    loop_stop(service->loop);
}

static void on_signal(uv_signal_t *handle, int number)
{
    (void)handle;
    (void)number;
    uv_close((uv_handle_t *)&on_term, NULL);
    uv_close((uv_handle_t *)&on_int, NULL);
    listener_close(&sim.listener, NULL);
    http_service_close_all(&sim.service); /* their objects are freed at the end of the turn */
    sim.service.on_empty = on_empty;
    http_service_drain(&sim.service);
}

static void watch_signals(struct loop *loop)
{
    signal(SIGPIPE, SIG_IGN);
    uv_signal_init(&loop->uv, &on_term);
    uv_signal_init(&loop->uv, &on_int);
    uv_signal_start(&on_term, on_signal, SIGTERM);
    uv_signal_start(&on_int, on_signal, SIGINT);
}

int main(int argc, char **argv)
{
    static struct loop loop;
    read_options(argc, argv);
    if (loop_init(&loop) != ERR_OK)
        die("no event loop: " STR_FMT, str_from(strerror(errno)));
    init_state(&loop);
    watch_signals(&loop);
    start_listening(&loop);
    loop_run(&loop);
    loop_fini(&loop);
    free_state();
    return 0;
}
