// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// The objects of the fake kernel's user contexts.
#include <fcntl.h>
#include <infiniband/verbs.h>
#include <rdma/ib_user_ioctl_verbs.h>
#include <sys/stat.h>

#include <array>
#include <bit>
#include <utility>

#include "unit/uverbs/fakes/fake_kernel_bundle.h"

namespace vrdma::uverbs {

FakeKernel::Object* FakeKernel::find(Context& context, Kind kind, uint32_t handle) {
    const auto found = context.objects.find(handle);
    return found == context.objects.end() || found->second.kind != kind ? nullptr : &found->second;
}

Result<uint32_t> FakeKernel::add(Context& context, Object object) {
    for (const uint32_t used : object.uses) {
        if (!context.objects.contains(used)) {
            return fail(EINVAL);
        }
    }
    for (const uint32_t used : object.uses) {
        ++context.objects.at(used).users;
    }
    const uint32_t handle = next_handle_++;
    context.objects.emplace(handle, std::move(object));
    return handle;
}

Result<void> FakeKernel::create(Context& context, uint32_t command, Bundle& bundle) {
    Object object{};
    const KernelCommand& given = bundle.command;
    switch (command) {
        case IB_USER_VERBS_CMD_ALLOC_PD:
            object.kind = Kind::kPd;
            break;
        case IB_USER_VERBS_CMD_OPEN_XRCD: {
            const auto request = given.as<ib_uverbs_open_xrcd>();
            struct stat file {};
            if ((request.oflags & O_CREAT) == 0 ||
                ::fstat(static_cast<int>(request.fd), &file) != 0) {
                return fail(EBADF);
            }
            object.kind = Kind::kXrcd;
            object.inode = file.st_ino;
            break;
        }
        case IB_USER_VERBS_CMD_CREATE_XSRQ: {
            const auto request = given.as<ib_uverbs_create_xsrq>();
            object.kind = Kind::kSrq;
            object.user_handle = request.user_handle;
            object.uses = {request.pd_handle, request.xrcd_handle, request.cq_handle};
            break;
        }
        case IB_USER_VERBS_CMD_REG_MR: {
            const auto request = given.as<ib_uverbs_reg_mr>();
            if (((request.start ^ request.hca_va) & 4095) != 0) {
                return fail(EINVAL);
            }
            object.kind = Kind::kMr;
            object.uses = {request.pd_handle};
            pinned_ = copy_of({reinterpret_cast<const std::byte*>(request.start), request.length});
            break;
        }
        case IB_USER_VERBS_CMD_ALLOC_MW:
            object.kind = Kind::kMw;
            object.uses = {given.as<ib_uverbs_alloc_mw>().pd_handle};
            break;
        case IB_USER_VERBS_CMD_CREATE_AH:
            object.kind = Kind::kAh;
            object.uses = {given.as<ib_uverbs_create_ah>().pd_handle};
            break;
        case IB_USER_VERBS_CMD_CREATE_CQ: {
            const auto request = given.as<ib_uverbs_create_cq>();
            object.kind = Kind::kCq;
            object.user_handle = request.user_handle;
            object.channel = inode_of(request.comp_channel);
            break;
        }
        case IB_USER_VERBS_EX_CMD_CREATE_CQ | IB_USER_VERBS_CMD_FLAG_EXTENDED: {
            const auto request = given.as<ib_uverbs_ex_create_cq>();
            object.kind = Kind::kCq;
            object.user_handle = request.user_handle;
            object.channel = inode_of(request.comp_channel);
            break;
        }
        case IB_USER_VERBS_EX_CMD_CREATE_QP | IB_USER_VERBS_CMD_FLAG_EXTENDED: {
            const auto request = given.as<ib_uverbs_ex_create_qp>();
            object.kind = Kind::kQp;
            object.user_handle = request.user_handle;
            object.uses = {request.pd_handle, request.send_cq_handle, request.recv_cq_handle};
            if (request.is_srq != 0) {
                object.uses.push_back(request.srq_handle);
            }
            break;
        }
        case IB_USER_VERBS_CMD_CREATE_SRQ: {
            const auto request = given.as<ib_uverbs_create_srq>();
            object.kind = Kind::kSrq;
            object.user_handle = request.user_handle;
            object.uses = {request.pd_handle};
            break;
        }
        default: {
            const auto request = given.as<ib_uverbs_create_qp>();
            object.kind = Kind::kQp;
            object.user_handle = request.user_handle;
            object.uses = {request.pd_handle};
            if (request.qp_type != IB_UVERBS_QPT_XRC_TGT) {
                object.uses.push_back(request.send_cq_handle);
            }
            if (request.qp_type != IB_UVERBS_QPT_XRC_TGT &&
                request.qp_type != IB_UVERBS_QPT_XRC_INI) {
                object.uses.push_back(request.recv_cq_handle);
            }
            if (request.is_srq != 0) {
                object.uses.push_back(request.srq_handle);
            }
        }
    }
    if (object.kind == Kind::kCq && !context.channels.contains(object.channel)) {
        return fail(EINVAL);
    }
    const Kind kind = object.kind;
    auto handle = add(context, std::move(object));
    if (!handle) {
        return fail(handle.error());
    }
    switch (kind) {
        case Kind::kMr:
            return bundle.respond(
                std::array<uint32_t, 3>{*handle, *handle << 8 | 1, *handle << 8 | 2});
        case Kind::kMw:
            return bundle.respond(std::array<uint32_t, 2>{*handle, *handle << 8 | 3});
        case Kind::kCq:
            return bundle.respond(std::array<uint32_t, 2>{*handle, 127});
        case Kind::kSrq:
            return bundle.respond(std::array<uint32_t, 4>{*handle, 31, 3, *handle});
        case Kind::kQp:
            return bundle.respond(
                std::array<uint32_t, 8>{*handle, *handle + 0x10000, 63, 62, 4, 5, 96, 0});
        default:
            return bundle.respond(*handle);
    }
}

Result<void> FakeKernel::destroy(Context& context, Kind kind, uint32_t handle) {
    Object* object = find(context, kind, handle);
    if (object == nullptr) {
        return fail(EINVAL);
    }
    if (object->locks != 0 || object->users != 0 || !object->groups.empty()) {
        ++busy_destructions_;
        return fail(EBUSY);
    }
    for (const uint32_t used : object->uses) {
        --context.objects.at(used).users;
    }
    context.objects.erase(handle);
    return {};
}

Result<void> FakeKernel::modify_or_query(Context& context, uint32_t command, Bundle& bundle) {
    const KernelCommand& given = bundle.command;
    switch (command) {
        case IB_USER_VERBS_CMD_MODIFY_SRQ: {
            const auto request = given.as<ib_uverbs_modify_srq>();
            if (find(context, Kind::kSrq, request.srq_handle) == nullptr) {
                return fail(EINVAL);
            }
            // The driver writes the new queue's struct mminfo, as rxe does.
            if (given.udata_in.size() >= sizeof(uint64_t)) {
                std::memset(reinterpret_cast<void*>(load<uint64_t>(given.udata_in)), 0x5a, 16);
            }
            return {};
        }
        case IB_USER_VERBS_CMD_QUERY_SRQ: {
            if (find(context, Kind::kSrq, given.as<ib_uverbs_query_srq>().srq_handle) == nullptr) {
                return fail(EINVAL);
            }
            return bundle.respond(ib_uverbs_query_srq_resp{31, 3, 7, 0});
        }
        case IB_USER_VERBS_CMD_QUERY_QP: {
            Object* qp = find(context, Kind::kQp, given.as<ib_uverbs_query_qp>().qp_handle);
            if (qp == nullptr) {
                return fail(EINVAL);
            }
            ib_uverbs_query_qp_resp response{};
            response.dest = qp->modified.dest;
            response.qp_state = qp->modified.qp_state;
            response.dest_qp_num = qp->modified.dest_qp_num;
            response.port_num = qp->modified.port_num;
            response.max_send_wr = 63;
            return bundle.respond(response);
        }
        case IB_USER_VERBS_CMD_REREG_MR:
            return reregister(context, bundle);
        case IB_USER_VERBS_CMD_RESIZE_CQ: {
            const auto request = given.as<ib_uverbs_resize_cq>();
            if (find(context, Kind::kCq, request.cq_handle) == nullptr) {
                return fail(EINVAL);
            }
            return bundle.respond(
                ib_uverbs_resize_cq_resp{.cqe = std::bit_ceil(request.cqe + 1) - 1, .reserved = 0});
        }
        case IB_USER_VERBS_CMD_ATTACH_MCAST:
        case IB_USER_VERBS_CMD_DETACH_MCAST:
            return attach_or_detach(context, command, given.as<ib_uverbs_attach_mcast>());
        default: {
            const auto request = given.as<ib_uverbs_modify_qp>();
            Object* qp = find(context, Kind::kQp, request.qp_handle);
            if (qp == nullptr) {
                return fail(EINVAL);
            }
            qp->modified = request;
            return {};
        }
    }
}

Result<void> FakeKernel::reregister(Context& context, Bundle& bundle) {
    const auto request = bundle.command.as<ib_uverbs_rereg_mr>();
    Object* mr = find(context, Kind::kMr, request.mr_handle);
    if (mr == nullptr) {
        return fail(EINVAL);
    }
    if ((request.flags & IBV_REREG_MR_CHANGE_PD) != 0) {
        if (find(context, Kind::kPd, request.pd_handle) == nullptr) {
            return fail(EINVAL);
        }
        --context.objects.at(std::exchange(mr->uses.front(), request.pd_handle)).users;
        ++context.objects.at(request.pd_handle).users;
    }
    if ((request.flags & IBV_REREG_MR_CHANGE_TRANSLATION) != 0) {
        if (((request.start ^ request.hca_va) & 4095) != 0) {
            return fail(EINVAL);
        }
        pinned_ = copy_of({reinterpret_cast<const std::byte*>(request.start), request.length});
    }
    return bundle.respond(ib_uverbs_rereg_mr_resp{.lkey = request.mr_handle << 8 | 5,
                                                  .rkey = request.mr_handle << 8 | 6});
}

// The kernel compares LIDs too, even where they mean nothing.
Result<void> FakeKernel::attach_or_detach(Context& context, uint32_t command,
                                          const ib_uverbs_attach_mcast& request) {
    Object* qp = find(context, Kind::kQp, request.qp_handle);
    if (qp == nullptr) {
        return fail(EINVAL);
    }
    const Group group{std::to_array(request.gid), request.mlid};
    if (command == IB_USER_VERBS_CMD_ATTACH_MCAST) {
        qp->groups.insert(group);
        return {};
    }
    return qp->groups.erase(group) == 0 ? Result<void>(fail(EINVAL)) : Result<void>();
}

}  // namespace vrdma::uverbs
