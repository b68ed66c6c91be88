/* SPDX-License-Identifier: Apache-2.0 */
/* The simulated server: its state, and a request's. One thread, one loop.
 *
 *   service.c   heads and bodies come in, are recorded and routed
 *   control.c   /sim/...          info.c  models, health, version, metrics
 *   inference.c the life of an inference request: read, wait for the batch, take its time, end
 *   answer.c    its answer, made as time and the client allow
 *   render.c    bytes of answers and events
 *   outlet.c    raw bytes on their way out, and the faults that befall them */
#pragma once

#include "http/conn.h"
#include "net/listener.h"
#include "sim/ask.h"
#include "sim/faults.h"
#include "sim/options.h"
#include "sim/record.h"

#define MODEL_NAME_MAX ((size_t)256)
#define MODELS_MAX 32
#define RENDER_ID_SIZE 16
#define TARGET_MAX ((size_t)256)
#define PADDING_SIZE ((size_t)65536)

enum stage {
    STAGE_RECEIVING, /* head here, body not */
    STAGE_QUEUED,    /* waits for the batch */
    STAGE_DELAYED,   /* prefill, and decoding of an answer that is no stream */
    STAGE_STREAMING,
    STAGE_SENDING, /* everything is made, some of it has not gone out; or it never will */
};

/* Requests that one name of a model received. */
struct sim_model {
    struct str name; /* lives as long as the process */
    uint64_t running, waiting, prompt_tokens, generation_tokens;
};

struct sim_counts {
    uint64_t received, completed, cancelled, faulted; /* inference requests */
    uint64_t in_flight, max_in_flight;
    uint64_t probes; /* GET of health, metrics, version, models */
    uint64_t malformed;
    uint64_t accepted; /* connections */
};

struct sim {
    struct loop *loop;
    struct listener listener;
    struct http_service service;
    struct body_pool bodies;
    struct json_reader *reader;
    struct sim_options options;
    struct sim_settings settings; /* the options', as changed since */
    struct sim_model models[MODELS_MAX];
    size_t model_count;
    struct fault fault;    /* of requests without one */
    struct buf fault_spec; /* its text: the key of its tally */
    struct fault_tally tally;
    struct sim_counts counts;
    double kv_cache_usage;  /* negative: as the batch is filled */
    uint64_t health_status; /* 0: never answer */
    uint64_t running, queued;
    bool is_admitting;
    bool is_config_bad; /* of the POST /sim/config being read */
    struct list queue;  /* of struct sim_request */
    struct sim_request *free_requests;
    size_t free_count;
    struct buf head, body, event; /* answers being made: filled and sent within one function */
    char frame[CHUNKED_HEAD_MAX];
    char padding[PADDING_SIZE]; /* dots */
    struct recorder recorder;
};

/* The life of one request; belongs to its connection (conn->request). */
struct sim_request {
    union {
        struct list node; /* in the queue */
        struct sim_request *next_free;
    };
    struct sim *sim;
    struct http_conn *conn;
    struct wheel_timer timer; /* delays and events */
    struct wheel_timer drip;
    enum stage stage;
    enum endpoint endpoint;
    bool is_inference, is_counted, is_running;
    bool has_own_fault;
    bool is_authorized;
    bool is_chunked; /* the answer's framing */
    bool is_head_made;
    bool is_faulted;
    uint16_t target_len, model_len;
    char target[TARGET_MAX];
    char model[MODEL_NAME_MAX];
    char method[8]; /* longer ones are not served anyway */
    struct sim_model *counter;
    struct fault fault;
    uint64_t fault_key;      /* of the tally: hash of x-sim-fault-id, or of the fault's text */
    struct ask ask;          /* its model is a view of `model` or of the counter's name */
    char id[RENDER_ID_SIZE]; /* hexadecimal hash of the body */
    uint64_t tokens, prompt_tokens, event_count, events_made, bytes_made;
    uint64_t filler; /* bytes still to be made by "body=N" */
    usec_t first_at, interval;
    struct buf held; /* outlet: bytes that a raw fault looks at */
    size_t held_at;
    uint64_t raw_sent;
    bool is_whole; /* outlet: nothing more will be added */
    uint64_t record;
};

/* ---- service.c ---- */

extern const struct http_handler sim_handler;

/* An error in OpenAI's form, to a request that has no part in inference. */
void sim_refuse(struct sim_request *req, int status, const char *type, const char *code, const char *why);

/* Answers and gives the request back. */
void sim_reply(struct sim_request *req, int status, struct str content_type, struct str body);

/* Gives the request back; its connection has been told already. */
void sim_request_free(struct sim_request *req);

/* ---- control.c, info.c: each answers if the target is its own, or returns false ---- */

bool control_answer(struct sim_request *req, struct str method, struct str target, struct str body);
bool info_answer(struct sim_request *req, struct str target);
bool info_is_probe(struct str target);

/* Settings, faults and counters as the command line has them. False: --fault is not understood (`why`). */
bool sim_reset(struct sim *sim, struct buf *why);
