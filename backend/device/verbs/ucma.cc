// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// The connection manager's user interface.
#include "device/verbs/object_state.h"
#include "device/verbs/verbs.h"

namespace vrdma::device {

Result<void> save(Saving& saving, UcmaFileObject& object, state::UcmaFile& state) {
    return object.file->save(state, saving.files);
}

Result<void> restore(Restoring& restoring, const state::UcmaFile& state) {
    auto& files = restoring.objects().ucma_files;
    if (auto free = files.check_free(state.handle()); !free) {
        return free;
    }
    auto file = restoring.verbs.port().restore_ucma_file(
        {.handle = state.handle(),
         .ibdev_index = state.ibdev_index(),
         .node_guid = restoring.verbs.attributes().node_guid},
        state, restoring.files);
    if (!file) {
        return fail(file.error());
    }
    files.insert(state.handle(), UcmaFileObject{std::move(*file)});
    return {};
}

}  // namespace vrdma::device

namespace vrdma::device::verb {

Result<void> ucma_open(Verbs& verbs, Call&, const vrdma_cmd_ucma_open& request,
                       vrdma_rsp_handle& response) {
    auto handle = verbs.objects().ucma_files.reserve();
    if (!handle) {
        return fail(handle.error());
    }
    auto file = verbs.port().open_ucma_file({.handle = *handle,
                                             .ibdev_index = le32toh(request.ibdev_index),
                                             .node_guid = verbs.attributes().node_guid});
    if (!file) {
        return fail(file.error());
    }
    verbs.objects().ucma_files.insert(*handle, UcmaFileObject{std::move(*file)});
    response.handle = htole32(*handle);
    return {};
}

Result<void> ucma_close(Verbs& verbs, Call&, const vrdma_cmd_handle& request, vrdma_rsp_empty&) {
    const uint32_t handle = le32toh(request.handle);
    if (verbs.objects().ucma_files.find(handle) == nullptr) {
        return fail(EINVAL);
    }
    verbs.objects().ucma_files.erase(handle);
    return {};
}

Result<void> ucma_command(Verbs& verbs, Call& call, const vrdma_cmd_ucma_command& request,
                          vrdma_rsp_ucma_command& response) {
    UcmaFileObject* object = verbs.objects().ucma_files.find(le32toh(request.file));
    if (object == nullptr) {
        return fail(EINVAL);
    }
    rnic::UcmaFile* other = nullptr;
    if (le32toh(request.other_file) != VRDMA_NO_HANDLE) {
        UcmaFileObject* found = verbs.objects().ucma_files.find(le32toh(request.other_file));
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

}  // namespace vrdma::device::verb
