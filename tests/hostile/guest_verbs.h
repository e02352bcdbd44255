// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// The verbs of a guest, as its driver and librxe make commands of them.
#pragma once

#include <rdma/rdma_user_rxe.h>
#include <vrdma_check.h>
#include <vrdma_doorbell.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>
#include <vector>

#include "hostile/guest_device.h"
#include "rnic/rnic.h"
#include "support/commands.h"

namespace vrdma::hostile {

// The answer's status: 0, an errno, or kNoAnswer.
inline constexpr uint32_t kNoAnswer = UINT32_MAX;

// The bytes of a structure.
template <typename T>
std::span<std::byte> bytes_of(T& value) {
    return std::as_writable_bytes(std::span(&value, 1));
}

// A ring in the shared memory region.
struct MappedRing {
    uint64_t shm_offset = 0;
    uint64_t length = 0;
};

class GuestVerbs {
  public:
    explicit GuestVerbs(GuestDevice& device) : device_(device) {}

    GuestDevice& device() { return device_; }

    template <typename Request>
    static Request make(uint16_t opcode, uint32_t uctx = VRDMA_NO_HANDLE) {
        return test::make_command<Request>(opcode, uctx);
    }

    // Status and response.  `udata` gets what comes behind the response; `runs` end the request.
    template <typename Response, typename Request>
    std::pair<uint32_t, Response> ask(Request request, std::span<std::byte> udata = {},
                                      std::span<const vrdma_run> runs = {}) {
        const uint16_t room = htole16(static_cast<uint16_t>(udata.size()));
        std::memcpy(reinterpret_cast<std::byte*>(&request) + offsetof(vrdma_cmd_hdr, udata_out_len),
                    &room, sizeof(room));
        std::vector<std::byte> bytes(sizeof(request) + runs.size_bytes());
        std::memcpy(bytes.data(), &request, sizeof(request));
        if (!runs.empty()) {
            std::memcpy(bytes.data() + sizeof(request), runs.data(), runs.size_bytes());
        }
        const auto answer = device_.execute(bytes, sizeof(Response) + udata.size());
        Response response{};
        std::ranges::copy(std::span(answer).first(std::min(answer.size(), sizeof(response))),
                          bytes_of(response).begin());
        if (answer.size() > sizeof(response)) {
            std::memcpy(udata.data(), answer.data() + sizeof(response),
                        std::min(answer.size() - sizeof(response), udata.size()));
        }
        const uint32_t status =
            answer.size() < sizeof(vrdma_rsp_hdr) ? kNoAnswer : le32toh(response.hdr.status);
        return {status, response};
    }

    // The status of a command that answers with nothing else.
    template <typename Request>
    uint32_t tell(const Request& request) {
        return ask<vrdma_rsp_empty>(request).first;
    }
    uint32_t tell_handle(uint16_t opcode, uint32_t uctx, uint32_t handle);

    // False when the device refuses.
    bool try_map_doorbells();

    // These throw std::runtime_error when the device refuses.
    void map_doorbells();
    vrdma_doorbell_area& doorbells() { return *doorbells_; }
    void add_gid(uint32_t index, const rnic::Gid& gid);
    uint32_t alloc_ucontext();
    uint32_t alloc_pd(uint32_t uctx);
    struct Mr {
        uint32_t handle;
        uint32_t lkey;
        uint32_t rkey;
    };
    Mr reg_mr(uint32_t uctx, uint32_t pd, uint64_t gpa, uint64_t length, uint64_t iova,
              uint32_t access);
    struct Cq {
        uint32_t handle;
        MappedRing ring;
    };
    Cq create_cq(uint32_t uctx, uint32_t cqe, uint32_t comp_vector);
    struct Qp {
        uint32_t handle;
        uint32_t number;
        MappedRing send;
        MappedRing receive;
    };
    struct QpInit {
        uint32_t pd;
        uint32_t send_cq;
        uint32_t recv_cq;
        uint8_t type;
        uint32_t send_wr;
        uint32_t recv_wr;
        uint32_t sge;
        uint32_t inline_data;
    };
    Qp create_qp(uint32_t uctx, const QpInit& init);
    // With its ring mapped.
    uint32_t create_srq(uint32_t uctx, uint32_t pd, uint32_t max_wr);
    uint32_t alloc_mw(uint32_t uctx, uint32_t pd, uint8_t type);
    uint32_t create_ah(uint32_t uctx, uint32_t pd, const rnic::Gid& to);
    // From the first GID of the guest's.
    static vrdma_ah_attr path_to(const rnic::Gid& gid);
    void modify_qp(uint32_t uctx, uint32_t handle, uint32_t mask, const vrdma_qp_attr& attr);
    MappedRing mmap(uint32_t uctx, const mminfo& info);

    // MMAP, status and ring.
    std::pair<uint32_t, MappedRing> try_mmap(uint32_t uctx, const mminfo& info);

    // Whether the guest can have these bytes of the shared memory region as what they should be. An
    // attacker's answers are sometimes garbage of its own.
    bool reaches(uint64_t offset, uint64_t length) {
        const uint64_t size = device_.shm().size();
        return offset % VRDMA_SHM_PAGE_SIZE == 0 && offset <= size && length <= size - offset;
    }

    rxe_queue_buf* header(const MappedRing& ring) {
        return reinterpret_cast<rxe_queue_buf*>(device_.shm().data() + ring.shm_offset);
    }

    // Rings the doorbell of a handle, and notifies the device unless it polls.
    void ring(vrdma_doorbell_bitmap& bitmap, uint32_t handle);

  private:
    GuestDevice& device_;
    vrdma_doorbell_area* doorbells_ = nullptr;
};

}  // namespace vrdma::hostile
