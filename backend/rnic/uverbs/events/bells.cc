// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/uverbs/events/bells.h"

namespace vrdma::uverbs {
namespace {

// POST_SEND is the one command of the data path: no memory is allocated for it.
struct PostSend {
    ib_uverbs_cmd_hdr header;
    // The fields that follow are struct ib_uverbs_post_send without its array, which C++ wants at
    // the end.
    uint64_t response;
    uint32_t qp_handle;
    uint32_t wr_count;
    uint32_t sge_count;
    uint32_t wqe_size;
};
static_assert(sizeof(PostSend) == sizeof(ib_uverbs_cmd_hdr) + sizeof(ib_uverbs_post_send));

}  // namespace

Result<void> SendQueueBell::ring() {
    const std::lock_guard lock(mutex_);
    if (file_ == nullptr) {
        return fail(ENOENT);
    }
    ib_uverbs_post_send_resp response{};
    const PostSend command{
        .header =
            {
                .command = IB_USER_VERBS_CMD_POST_SEND,
                .in_words = sizeof(PostSend) / 4,
                .out_words = sizeof(response) / 4,
            },
        .response = reinterpret_cast<uintptr_t>(&response),
        .qp_handle = qp_handle_,
        .wr_count = 0,
        .sge_count = 0,
        .wqe_size = sizeof(ib_uverbs_send_wr),
    };
    return file_->execute(std::as_bytes(std::span(&command, 1)));
}

void SendQueueBell::silence() {
    const std::lock_guard lock(mutex_);
    file_.reset();
}

Result<void> CqBell::arm(bool solicited_only) {
    const std::lock_guard lock(mutex_);
    if (file_ == nullptr) {
        return fail(ENOENT);
    }
    return execute(*file_,
                   {IB_USER_VERBS_CMD_REQ_NOTIFY_CQ, ib_uverbs_req_notify_cq{
                                                         .cq_handle = cq_handle_,
                                                         .solicited_only = solicited_only ? 1u : 0u,
                                                     }});
}

void CqBell::silence() {
    const std::lock_guard lock(mutex_);
    file_.reset();
}

}  // namespace vrdma::uverbs
