// SPDX-License-Identifier: Apache-2.0
// The connection manager's user interface.
#include "device/verbs_internal.h"

namespace vrdma::device {

Result<void> Verbs::cm_open(Call&, const vrdma_cmd_cm_open& request, vrdma_rsp_handle& response) {
    if (!options_.attributes.rdma_cm) {
        return fail(EOPNOTSUPP);
    }
    auto handle = reserve(cm_files_, "connection_files");
    if (!handle) {
        return fail(handle.error());
    }
    auto file = port_.open_cm_file({.handle = *handle,
                                    .ibdev_index = le32toh(request.ibdev_index),
                                    .node_guid = options_.attributes.node_guid});
    if (!file) {
        return fail(file.error());
    }
    cm_files_.insert(*handle, CmFileObject{std::move(*file)});
    response.handle = htole32(*handle);
    return {};
}

Result<void> Verbs::cm_close(Call&, const vrdma_cmd_handle& request, vrdma_rsp_empty&) {
    const uint32_t handle = le32toh(request.handle);
    if (cm_files_.find(handle) == nullptr) {
        return fail(options_.attributes.rdma_cm ? EINVAL : EOPNOTSUPP);
    }
    cm_files_.erase(handle);
    return {};
}

Result<void> Verbs::cm_command(Call& call, const vrdma_cmd_cm_command& request,
                               vrdma_rsp_cm_command& response) {
    CmFileObject* object = cm_files_.find(le32toh(request.file));
    if (object == nullptr) {
        return fail(options_.attributes.rdma_cm ? EINVAL : EOPNOTSUPP);
    }
    rnic::CmFile* other = nullptr;
    if (le32toh(request.other_file) != VRDMA_NO_HANDLE) {
        CmFileObject* found = cm_files_.find(le32toh(request.other_file));
        if (found == nullptr) {
            return fail(EINVAL);
        }
        other = found->file.get();
    }
    auto answer =
        object->file->execute(le32toh(request.command), call.udata.in, call.udata.out, other);
    if (!answer) {
        return fail(answer.error());
    }
    call.udata.out_written = answer->written;
    response.flags = htole32(answer->more_events ? VRDMA_CM_MORE_EVENTS : 0);
    return {};
}

}  // namespace vrdma::device
