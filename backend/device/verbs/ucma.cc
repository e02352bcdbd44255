// SPDX-License-Identifier: Apache-2.0
// The connection manager's user interface.
#include "device/verbs/verbs_internal.h"

namespace vrdma::device {

Result<void> Verbs::ucma_open(Call&, const vrdma_cmd_ucma_open& request,
                              vrdma_rsp_handle& response) {
    auto handle = reserve(ucma_files_, "connection_files");
    if (!handle) {
        return fail(handle.error());
    }
    auto file = port_.open_ucma_file({.handle = *handle,
                                      .ibdev_index = le32toh(request.ibdev_index),
                                      .node_guid = options_.attributes.node_guid});
    if (!file) {
        return fail(file.error());
    }
    ucma_files_.insert(*handle, UcmaFileObject{std::move(*file)});
    response.handle = htole32(*handle);
    return {};
}

Result<void> Verbs::ucma_close(Call&, const vrdma_cmd_handle& request, vrdma_rsp_empty&) {
    const uint32_t handle = le32toh(request.handle);
    if (ucma_files_.find(handle) == nullptr) {
        return fail(EINVAL);
    }
    ucma_files_.erase(handle);
    return {};
}

Result<void> Verbs::ucma_command(Call& call, const vrdma_cmd_ucma_command& request,
                                 vrdma_rsp_ucma_command& response) {
    UcmaFileObject* object = ucma_files_.find(le32toh(request.file));
    if (object == nullptr) {
        return fail(EINVAL);
    }
    rnic::UcmaFile* other = nullptr;
    if (le32toh(request.other_file) != VRDMA_NO_HANDLE) {
        UcmaFileObject* found = ucma_files_.find(le32toh(request.other_file));
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
    response.flags = htole32(answer->more_events ? VRDMA_UCMA_MORE_EVENTS : 0);
    return {};
}

}  // namespace vrdma::device
