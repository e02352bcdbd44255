/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 the vrdma authors */
#include "vrdma_farewell.h"

#include "qemu/error-report.h"
#include "qemu/main-loop.h"
#include "vrdma_compat.h"
#include VRDMA_CPUS_HEADER
#include VRDMA_RUNSTATE_HEADER

typedef struct {
    VRdmaBackendRequests *channel;
    QEMUBH *bh;
    VMChangeStateEntry *watch;
    bool holds;                 /* has paused the guest */
} Farewell;

static void hold(Farewell *farewell)
{
    if (runstate_is_running()) {
        error_report("vrdma: the guest is paused until the backend has let go of its memory: let "
                     "vrdmad go on, or kill it");
        farewell->holds = true;
        vm_stop(RUN_STATE_IO_ERROR);
    }
}

/* Another farewell, of another device, stops the guest again if it has to. */
static void end(Farewell *farewell)
{
    qemu_del_vm_change_state_handler(farewell->watch);
    qemu_bh_delete(farewell->bh);
    vrdma_backend_requests_free(farewell->channel);
    info_report("vrdma: the backend has let go of the guest's memory");
    if (farewell->holds && runstate_check(RUN_STATE_IO_ERROR)) {
        vm_start();
    } else {
        resume_all_vcpus();     /* one may stand still for vrdma_farewell_stop_processor() */
    }
    g_free(farewell);
}

static void look(void *opaque)
{
    Farewell *farewell = opaque;

    if (vrdma_backend_requests_ended(farewell->channel)) {
        end(farewell);
        return;
    }
    hold(farewell);
}

static void backend_is_gone(void *opaque)
{
    Farewell *farewell = opaque;

    qemu_bh_schedule(farewell->bh);
}

/* Somebody lets the guest go on, for instance with the monitor's "cont". */
static void run_state_changed(void *opaque, bool running, RunState state)
{
    Farewell *farewell = opaque;

    (void)state;
    if (running) {
        qemu_bh_schedule(farewell->bh);
    }
}

void vrdma_farewell_begin(VRdmaBackendRequests *channel)
{
    Farewell *farewell = g_new0(Farewell, 1);

    farewell->channel = channel;
    farewell->bh = qemu_bh_new(look, farewell);
    if (qemu_in_vcpu_thread()) {
        qemu_bh_schedule(farewell->bh);
    } else {
        hold(farewell);
    }
    farewell->watch = qemu_add_vm_change_state_handler(run_state_changed, farewell);
    vrdma_backend_requests_leave(channel, backend_is_gone, farewell);
}

void vrdma_farewell_stop_processor(void)
{
    cpu_stop_current();
}
