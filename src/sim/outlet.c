/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/outlet.h"

#include "sim/inference.h"

#define HELD_MAX ((size_t)256 << 20)
#define HELD_HIGH ((size_t)1 << 20) /* makers of long answers pause above it */

static bool outlet_pump(struct sim_request *req);

static void outlet_on_drip(struct wheel_timer *timer)
{
    struct sim_request *req = CONTAINER_OF(timer, struct sim_request, drip);
    if (outlet_pump(req))
        inference_continue(req);
}

void outlet_init(struct sim_request *req)
{
    wheel_timer_init(&req->drip, outlet_on_drip);
    buf_init(&req->held, HELD_MAX);
    req->held_at = 0;
    req->raw_sent = 0;
    req->is_whole = false;
}

/* Raw bytes until the fault that strikes first. */
static uint64_t outlet_limit(const struct fault *fault)
{
    return MIN(MIN(fault->cut, fault->reset), fault->stall);
}

/* The fault's point has been reached, and everything before it is in the kernel's hands. False: the request
 * is gone. */
static bool outlet_strike(struct sim_request *req)
{
    struct http_conn *conn = req->conn;
    req->is_faulted = true;
    if (req->fault.stall == req->raw_sent) {
        timer_stop(req->sim->loop, &req->timer);
        req->stage = STAGE_SENDING; /* for ever */
        return true;
    }
    if (req->fault.cut == req->raw_sent) {
        conn->keep_alive = false;
        http_conn_finish(conn);
    } else {
        http_conn_abort(conn);
    }
    inference_ended(req, OUTCOME_FAULTED);
    return false;
}

static void outlet_end(struct sim_request *req)
{
    http_conn_finish(req->conn);
    inference_ended(req, req->is_faulted ? OUTCOME_FAULTED : OUTCOME_COMPLETED);
}

/* Sends the next `n` held bytes. */
static void outlet_pass(struct sim_request *req, size_t n)
{
    char *bytes = req->held.ptr + req->held_at;
    uint64_t corrupt = req->fault.corrupt;
    if (corrupt >= req->raw_sent && corrupt - req->raw_sent < n) {
        bytes[corrupt - req->raw_sent] ^= 0x55;
        req->is_faulted = true;
    }
    http_conn_send(req->conn, (struct str){bytes, n});
    http_conn_flush(req->conn);
    req->raw_sent += n;
    req->held_at += n;
    if (req->held_at == req->held.len) {
        buf_clear(&req->held);
        req->held_at = 0;
    }
}

/* Moves held bytes on as far as the fault lets them. False: the request is gone. */
static bool outlet_pump(struct sim_request *req)
{
    if (http_conn_is_backed_up(req->conn) || wheel_timer_is_running(&req->drip))
        return true;
    uint64_t room = outlet_limit(&req->fault) - req->raw_sent;
    size_t n = (size_t)MIN((uint64_t)(req->held.len - req->held_at), room);
    if (req->fault.drip_bytes != FAULT_NONE)
        n = (size_t)MIN((uint64_t)n, req->fault.drip_bytes);
    if (n > 0)
        outlet_pass(req, n);
    if (http_conn_is_backed_up(req->conn))
        return true;
    if (req->raw_sent == outlet_limit(&req->fault))
        return outlet_strike(req);
    if (req->held.len > req->held_at) {
        timer_start(req->sim->loop, &req->drip, req->fault.drip_millis * USEC_PER_MSEC);
    } else if (req->is_whole) {
        outlet_end(req);
        return false;
    }
    return true;
}

void outlet_send(struct sim_request *req, struct str bytes)
{
    if (fault_is_raw(&req->fault))
        buf_add(&req->held, bytes);
    else
        http_conn_send(req->conn, bytes);
}

void outlet_arm_after_head(struct sim_request *req, size_t head_bytes)
{
    uint64_t made = req->raw_sent + (req->held.len - req->held_at) + head_bytes;
    if (req->fault.reset_after_head)
        req->fault.reset = made;
    if (req->fault.close_after_head)
        req->fault.cut = made;
}

bool outlet_push(struct sim_request *req)
{
    if (fault_is_raw(&req->fault))
        return outlet_pump(req);
    http_conn_flush(req->conn);
    return true;
}

void outlet_finish(struct sim_request *req)
{
    req->is_whole = true;
    req->stage = STAGE_SENDING;
    if (!fault_is_raw(&req->fault))
        outlet_end(req);
    else
        (void)!outlet_pump(req);
}

bool outlet_is_backed_up(const struct sim_request *req)
{
    return http_conn_is_backed_up(req->conn) || req->held.len - req->held_at > HELD_HIGH;
}

void outlet_on_drained(struct sim_request *req)
{
    if (!fault_is_raw(&req->fault) || outlet_pump(req))
        inference_continue(req);
}
