// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "unit/uverbs/fakes/fake_kernel_bundle.h"

#include <fcntl.h>
#include <infiniband/verbs.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace vrdma::uverbs {
namespace {

// The structures of a command, and whether the driver sees private bytes (UAPI_DEF_WRITE_*).
struct Method {
    size_t request = 0;
    size_t response = 0;
    bool udata = false;
};

const std::map<uint32_t, Method>& methods() {
    static const std::map<uint32_t, Method> kMethods{
        {IB_USER_VERBS_CMD_GET_CONTEXT,
         {sizeof(ib_uverbs_get_context), sizeof(ib_uverbs_get_context_resp), true}},
        {IB_USER_VERBS_CMD_QUERY_DEVICE,
         {sizeof(ib_uverbs_query_device), sizeof(ib_uverbs_query_device_resp)}},
        {FakeKernel::extended(IB_USER_VERBS_EX_CMD_QUERY_DEVICE),
         {sizeof(ib_uverbs_ex_query_device), sizeof(ib_uverbs_ex_query_device_resp), true}},
        {IB_USER_VERBS_CMD_QUERY_PORT,
         {sizeof(ib_uverbs_query_port), sizeof(ib_uverbs_query_port_resp)}},
        {IB_USER_VERBS_CMD_ALLOC_PD,
         {sizeof(ib_uverbs_alloc_pd), sizeof(ib_uverbs_alloc_pd_resp), true}},
        {IB_USER_VERBS_CMD_DEALLOC_PD, {sizeof(ib_uverbs_dealloc_pd)}},
        {IB_USER_VERBS_CMD_REG_MR, {sizeof(ib_uverbs_reg_mr), sizeof(ib_uverbs_reg_mr_resp), true}},
        {IB_USER_VERBS_CMD_DEREG_MR, {sizeof(ib_uverbs_dereg_mr)}},
        {IB_USER_VERBS_CMD_REREG_MR,
         {sizeof(ib_uverbs_rereg_mr), sizeof(ib_uverbs_rereg_mr_resp), true}},
        {IB_USER_VERBS_CMD_ALLOC_MW,
         {sizeof(ib_uverbs_alloc_mw), sizeof(ib_uverbs_alloc_mw_resp), true}},
        {IB_USER_VERBS_CMD_DEALLOC_MW, {sizeof(ib_uverbs_dealloc_mw)}},
        {IB_USER_VERBS_CMD_CREATE_COMP_CHANNEL,
         {sizeof(ib_uverbs_create_comp_channel), sizeof(ib_uverbs_create_comp_channel_resp)}},
        {IB_USER_VERBS_CMD_CREATE_CQ,
         {sizeof(ib_uverbs_create_cq), sizeof(ib_uverbs_create_cq_resp), true}},
        {FakeKernel::extended(IB_USER_VERBS_EX_CMD_CREATE_CQ),
         {sizeof(ib_uverbs_ex_create_cq), sizeof(ib_uverbs_ex_create_cq_resp), true}},
        {IB_USER_VERBS_CMD_RESIZE_CQ,
         {sizeof(ib_uverbs_resize_cq), sizeof(ib_uverbs_resize_cq_resp), true}},
        {IB_USER_VERBS_CMD_DESTROY_CQ,
         {sizeof(ib_uverbs_destroy_cq), sizeof(ib_uverbs_destroy_cq_resp)}},
        {IB_USER_VERBS_CMD_REQ_NOTIFY_CQ, {sizeof(ib_uverbs_req_notify_cq)}},
        {IB_USER_VERBS_CMD_CREATE_QP,
         {sizeof(ib_uverbs_create_qp), sizeof(ib_uverbs_create_qp_resp), true}},
        {FakeKernel::extended(IB_USER_VERBS_EX_CMD_CREATE_QP),
         {sizeof(ib_uverbs_ex_create_qp), sizeof(ib_uverbs_ex_create_qp_resp), true}},
        {IB_USER_VERBS_CMD_QUERY_QP, {sizeof(ib_uverbs_query_qp), sizeof(ib_uverbs_query_qp_resp)}},
        {IB_USER_VERBS_CMD_MODIFY_QP, {sizeof(ib_uverbs_modify_qp)}},
        {FakeKernel::extended(IB_USER_VERBS_EX_CMD_MODIFY_QP),
         {sizeof(ib_uverbs_ex_modify_qp), sizeof(ib_uverbs_ex_modify_qp_resp), true}},
        {IB_USER_VERBS_CMD_DESTROY_QP,
         {sizeof(ib_uverbs_destroy_qp), sizeof(ib_uverbs_destroy_qp_resp)}},
        {IB_USER_VERBS_CMD_ATTACH_MCAST, {sizeof(ib_uverbs_attach_mcast)}},
        {IB_USER_VERBS_CMD_DETACH_MCAST, {sizeof(ib_uverbs_detach_mcast)}},
        {IB_USER_VERBS_CMD_POST_SEND,
         {sizeof(ib_uverbs_post_send), sizeof(ib_uverbs_post_send_resp)}},
        {IB_USER_VERBS_CMD_CREATE_SRQ,
         {sizeof(ib_uverbs_create_srq), sizeof(ib_uverbs_create_srq_resp), true}},
        {IB_USER_VERBS_CMD_CREATE_XSRQ,
         {sizeof(ib_uverbs_create_xsrq), sizeof(ib_uverbs_create_srq_resp), true}},
        {IB_USER_VERBS_CMD_OPEN_XRCD,
         {sizeof(ib_uverbs_open_xrcd), sizeof(ib_uverbs_open_xrcd_resp), true}},
        {IB_USER_VERBS_CMD_CLOSE_XRCD, {sizeof(ib_uverbs_close_xrcd)}},
        {IB_USER_VERBS_CMD_MODIFY_SRQ, {sizeof(ib_uverbs_modify_srq), 0, true}},
        {IB_USER_VERBS_CMD_QUERY_SRQ,
         {sizeof(ib_uverbs_query_srq), sizeof(ib_uverbs_query_srq_resp)}},
        {IB_USER_VERBS_CMD_DESTROY_SRQ,
         {sizeof(ib_uverbs_destroy_srq), sizeof(ib_uverbs_destroy_srq_resp)}},
        {IB_USER_VERBS_CMD_CREATE_AH,
         {sizeof(ib_uverbs_create_ah), sizeof(ib_uverbs_create_ah_resp), true}},
        {IB_USER_VERBS_CMD_DESTROY_AH, {sizeof(ib_uverbs_destroy_ah)}},
    };
    return kMethods;
}

// The user's descriptor and the kernel's end of a file with whole events.
std::pair<int, FileDescriptor> event_file() {
    int fds[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) != 0) {
        return {-1, FileDescriptor()};
    }
    return {fds[0], FileDescriptor(fds[1])};
}

template <typename Event>
void send_event(const FileDescriptor& fd, const Event& event) {
    (void)::send(fd.get(), &event, sizeof(event), MSG_NOSIGNAL);
}

}  // namespace

class FakeOpenFile {
  public:
    explicit FakeOpenFile(FakeKernel& kernel) : kernel_(kernel) {}
    ~FakeOpenFile() {
        const std::lock_guard lock(kernel_.mutex_);
        --kernel_.open_files_;
        kernel_.contexts_.erase(context_.get());
    }
    FakeOpenFile(const FakeOpenFile&) = delete;
    FakeOpenFile& operator=(const FakeOpenFile&) = delete;

    Result<void> execute(std::span<const std::byte> command) {
        return kernel_.execute(context_, command);
    }

  private:
    FakeKernel& kernel_;
    std::unique_ptr<FakeKernel::Context> context_;
};

class FakeUverbsFile final : public UverbsFile {
  public:
    // `fd` is a descriptor of the file's own, if it has one.
    FakeUverbsFile(FakeKernel& kernel, std::shared_ptr<FakeOpenFile> file, FileDescriptor fd)
        : kernel_(kernel), file_(std::move(file)), fd_(std::move(fd)) {}
    Result<void> execute(std::span<const std::byte> command) override {
        return file_->execute(command);
    }
    int fd() const override { return fd_ ? fd_.get() : kernel_.file_fd; }

  private:
    FakeKernel& kernel_;
    const std::shared_ptr<FakeOpenFile> file_;
    const FileDescriptor fd_;
};

class FakeUverbsDevice final : public UverbsDevice {
  public:
    explicit FakeUverbsDevice(FakeKernel& kernel) : kernel_(kernel) {}
    Result<std::unique_ptr<UverbsFile>> open() override {
        const std::lock_guard lock(kernel_.mutex_);
        if (kernel_.refuse_open_ != 0) {
            return fail(std::exchange(kernel_.refuse_open_, 0));
        }
        ++kernel_.open_files_;
        auto file = std::make_shared<FakeOpenFile>(kernel_);
        FileDescriptor fd;
        if (kernel_.files_travel) {
            fd = FileDescriptor(::memfd_create("uverbs", MFD_CLOEXEC));
            kernel_.travelling_[inode_of(fd.get())] = file;
        }
        return std::make_unique<FakeUverbsFile>(kernel_, std::move(file), std::move(fd));
    }
    Result<std::unique_ptr<UverbsFile>> adopt(FileDescriptor fd) override {
        const std::lock_guard lock(kernel_.mutex_);
        const auto found = kernel_.travelling_.find(inode_of(fd.get()));
        auto file = found == kernel_.travelling_.end() ? nullptr : found->second.lock();
        if (file == nullptr) {
            return fail(EBADF);
        }
        return std::make_unique<FakeUverbsFile>(kernel_, std::move(file), std::move(fd));
    }

  private:
    FakeKernel& kernel_;
};

FakeKernel::FakeKernel() {
    device_attributes.max_qp = 1000;
    device_attributes.max_sge = 32;
    device_attributes.max_srq = 100;
    port_attributes.state = IBV_PORT_ACTIVE;
    port_attributes.max_mtu = IBV_MTU_4096;
    port_attributes.active_mtu = IBV_MTU_1024;
    port_attributes.link_layer = IBV_LINK_LAYER_ETHERNET;
}

std::unique_ptr<UverbsDevice> FakeKernel::device() {
    return std::make_unique<FakeUverbsDevice>(*this);
}

// ib_uverbs_write() and verify_hdr()
Result<void> FakeKernel::execute(std::unique_ptr<Context>& context,
                                 std::span<const std::byte> bytes) {
    if (bytes.size() < sizeof(ib_uverbs_cmd_hdr)) {
        return fail(EINVAL);
    }
    const auto header = load<ib_uverbs_cmd_hdr>(bytes);
    const auto method = methods().find(header.command);
    if (method == methods().end() || driver_lacks.contains(header.command)) {
        return fail(EOPNOTSUPP);
    }
    const Method& wanted = method->second;
    size_t in = 0;  // the core's bytes, and the driver's behind them
    size_t out = 0;
    uint64_t response = 0;
    std::span<const std::byte> rest = bytes.subspan(sizeof(header));
    Bundle bundle;
    if ((header.command & IB_USER_VERBS_CMD_FLAG_EXTENDED) != 0) {
        const auto extension = load<ib_uverbs_ex_cmd_hdr>(rest);
        rest = rest.subspan(sizeof(extension));
        if ((header.in_words + extension.provider_in_words) * size_t{8} != rest.size() ||
            extension.cmd_hdr_reserved != 0) {
            return fail(EINVAL);
        }
        in = header.in_words * size_t{8};
        out = header.out_words * size_t{8};
        bundle.command.udata_out = extension.provider_out_words * size_t{8};
        response = extension.response;
        if (in < wanted.request || out < wanted.response) {
            return fail(ENOSPC);
        }
    } else {
        if (header.in_words * size_t{4} != bytes.size()) {
            return fail(EINVAL);
        }
        if (rest.size() < wanted.request || header.out_words * size_t{4} < wanted.response) {
            return fail(ENOSPC);
        }
        in = wanted.udata ? wanted.request : rest.size();
        out = wanted.udata ? wanted.response : header.out_words * size_t{4};
        bundle.command.udata_out = header.out_words * size_t{4} - out;
        if (wanted.response != 0) {
            response = load<uint64_t>(rest);
        }
    }
    bundle.command.request = copy_of(rest.first(in));
    bundle.command.udata_in = copy_of(rest.subspan(in));
    bundle.response = reinterpret_cast<std::byte*>(response);
    bundle.response_size = out;

    std::unique_lock lock(mutex_);
    executed_[header.command].push_back(bundle.command);
    if (const auto refusal = refusals_.find(header.command); refusal != refusals_.end()) {
        const int error = refusal->second;
        refusals_.erase(refusal);
        return fail(error);
    }
    auto handled = handle(context, header.command, bundle, lock);
    if (handled) {
        const auto& answer = answers_[header.command];
        const size_t size = std::min(answer.size(), bundle.command.udata_out);
        std::copy_n(answer.data(), size, bundle.response + bundle.response_size);
    }
    return handled;
}

Result<void> FakeKernel::handle(std::unique_ptr<Context>& context, uint32_t command, Bundle& bundle,
                                std::unique_lock<std::mutex>& lock) {
    if (command == IB_USER_VERBS_CMD_GET_CONTEXT) {
        return get_context(context, bundle);
    }
    if (context == nullptr) {
        return fail(EINVAL);
    }
    const KernelCommand& given = bundle.command;
    switch (command) {
        case IB_USER_VERBS_CMD_QUERY_DEVICE:
            return bundle.respond(device_attributes);
        case IB_USER_VERBS_EX_CMD_QUERY_DEVICE | IB_USER_VERBS_CMD_FLAG_EXTENDED:
            return {};
        case IB_USER_VERBS_CMD_QUERY_PORT:
            return bundle.respond(port_attributes);
        case IB_USER_VERBS_CMD_CREATE_COMP_CHANNEL: {
            auto [user, kernel] = event_file();
            context->channels[inode_of(user)] = std::move(kernel);
            return bundle.respond(ib_uverbs_create_comp_channel_resp{static_cast<uint32_t>(user)});
        }
        case IB_USER_VERBS_CMD_DEALLOC_PD:
            return destroy(*context, Kind::kPd, given.as<ib_uverbs_dealloc_pd>().pd_handle);
        case IB_USER_VERBS_CMD_CLOSE_XRCD:
            return destroy(*context, Kind::kXrcd, given.as<ib_uverbs_close_xrcd>().xrcd_handle);
        case IB_USER_VERBS_CMD_DEREG_MR:
            return destroy(*context, Kind::kMr, given.as<ib_uverbs_dereg_mr>().mr_handle);
        case IB_USER_VERBS_CMD_DEALLOC_MW:
            return destroy(*context, Kind::kMw, given.as<ib_uverbs_dealloc_mw>().mw_handle);
        case IB_USER_VERBS_CMD_DESTROY_AH:
            return destroy(*context, Kind::kAh, given.as<ib_uverbs_destroy_ah>().ah_handle);
        case IB_USER_VERBS_CMD_DESTROY_CQ:
            return destroy(*context, Kind::kCq, given.as<ib_uverbs_destroy_cq>().cq_handle);
        case IB_USER_VERBS_CMD_DESTROY_SRQ:
            return destroy(*context, Kind::kSrq, given.as<ib_uverbs_destroy_srq>().srq_handle);
        case IB_USER_VERBS_CMD_DESTROY_QP:
            return destroy(*context, Kind::kQp, given.as<ib_uverbs_destroy_qp>().qp_handle);
        case IB_USER_VERBS_CMD_POST_SEND:
        case IB_USER_VERBS_CMD_REQ_NOTIFY_CQ:
            return use(*context, command, bundle, lock);
        case IB_USER_VERBS_CMD_MODIFY_QP:
        case IB_USER_VERBS_EX_CMD_MODIFY_QP | IB_USER_VERBS_CMD_FLAG_EXTENDED:
        case IB_USER_VERBS_CMD_QUERY_QP:
        case IB_USER_VERBS_CMD_MODIFY_SRQ:
        case IB_USER_VERBS_CMD_QUERY_SRQ:
        case IB_USER_VERBS_CMD_REREG_MR:
        case IB_USER_VERBS_CMD_RESIZE_CQ:
        case IB_USER_VERBS_CMD_ATTACH_MCAST:
        case IB_USER_VERBS_CMD_DETACH_MCAST:
            return modify_or_query(*context, command, bundle);
        default:
            return create(*context, command, bundle);
    }
}

Result<void> FakeKernel::get_context(std::unique_ptr<Context>& context, Bundle& bundle) {
    if (context != nullptr) {
        return fail(EINVAL);
    }
    auto [user, kernel] = event_file();
    if (std::exchange(break_event_file_, false)) {
        ::close(user);
        user = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    }
    context = std::make_unique<Context>();
    context->async_events = std::move(kernel);
    contexts_.insert(context.get());
    ib_uverbs_get_context_resp response{};
    response.async_fd = static_cast<uint32_t>(user);
    response.num_comp_vectors = 2;
    return bundle.respond(response);
}

Result<void> FakeKernel::use(Context& context, uint32_t command, Bundle& bundle,
                             std::unique_lock<std::mutex>& lock) {
    if (command == IB_USER_VERBS_CMD_REQ_NOTIFY_CQ) {
        const auto request = bundle.command.as<ib_uverbs_req_notify_cq>();
        Object* cq = find(context, Kind::kCq, request.cq_handle);
        if (cq == nullptr) {
            return fail(EINVAL);
        }
        // A CQ that is armed for any completion stays so (IBTA 1.4, 11.4.2.2).
        cq->armed = request.solicited_only != 0 && cq->armed.value_or(true);
        return {};
    }
    const auto request = load<std::array<uint32_t, 4>>(bundle.command.request, sizeof(uint64_t));
    Object* qp = find(context, Kind::kQp, request[0]);
    if (qp == nullptr || request[1] != 0 || request[3] < sizeof(ib_uverbs_send_wr)) {
        return fail(EINVAL);
    }
    ++qp->locks;
    if (during_post_send) {
        lock.unlock();
        during_post_send();
        lock.lock();
    }
    --qp->locks;
    ++qp->rings;
    ++rings_;
    rung_.notify_all();
    return bundle.respond(ib_uverbs_post_send_resp{0});
}

size_t FakeKernel::count(uint32_t command) const {
    const std::lock_guard lock(mutex_);
    const auto found = executed_.find(command);
    return found == executed_.end() ? 0 : found->second.size();
}

KernelCommand FakeKernel::last(uint32_t command) const {
    const std::lock_guard lock(mutex_);
    return executed_.at(command).back();
}

size_t FakeKernel::open_files() const {
    const std::lock_guard lock(mutex_);
    return open_files_;
}

size_t FakeKernel::live(Kind kind) const {
    const std::lock_guard lock(mutex_);
    size_t sum = 0;
    for (const Context* context : contexts_) {
        sum += static_cast<size_t>(std::ranges::count_if(
            context->objects, [kind](const auto& entry) { return entry.second.kind == kind; }));
    }
    return sum;
}

void FakeKernel::refuse(uint32_t command, int error) {
    const std::lock_guard lock(mutex_);
    refusals_[command] = error;
}

void FakeKernel::refuse_open(int error) {
    const std::lock_guard lock(mutex_);
    refuse_open_ = error;
}

void FakeKernel::break_event_file() {
    const std::lock_guard lock(mutex_);
    break_event_file_ = true;
}

void FakeKernel::answer(uint32_t command, std::vector<std::byte> udata_out) {
    const std::lock_guard lock(mutex_);
    answers_[command] = std::move(udata_out);
}

const FakeKernel::Object* FakeKernel::find_user(Kind kind, uint64_t user_handle) const {
    for (const Context* context : contexts_) {
        for (const auto& [handle, object] : context->objects) {
            if (object.kind == kind && object.user_handle == user_handle) {
                return &object;
            }
        }
    }
    return nullptr;
}

bool FakeKernel::complete(uint64_t cq_user_handle, bool solicited) {
    const std::lock_guard lock(mutex_);
    for (Context* context : contexts_) {
        for (auto& [handle, cq] : context->objects) {
            if (cq.kind != Kind::kCq || cq.user_handle != cq_user_handle) {
                continue;
            }
            if (complete_when_armed && (!cq.armed || (*cq.armed && !solicited))) {
                return false;
            }
            cq.armed.reset();
            send_event(context->channels.at(cq.channel),
                       ib_uverbs_comp_event_desc{.cq_handle = cq_user_handle});
            return true;
        }
    }
    return false;
}

bool FakeKernel::is_armed(uint64_t cq_user_handle) const {
    const std::lock_guard lock(mutex_);
    const Object* cq = find_user(Kind::kCq, cq_user_handle);
    return cq != nullptr && cq->armed.has_value();
}

void FakeKernel::report(uint32_t event_type, uint64_t element) {
    const std::lock_guard lock(mutex_);
    for (const Context* context : contexts_) {
        send_event(context->async_events,
                   ib_uverbs_async_event_desc{
                       .element = element, .event_type = event_type, .reserved = 0});
    }
}

size_t FakeKernel::rings(uint64_t qp_user_handle) const {
    const std::lock_guard lock(mutex_);
    const Object* qp = find_user(Kind::kQp, qp_user_handle);
    return qp == nullptr ? 0 : qp->rings;
}

bool FakeKernel::wait_for_rings(size_t rings) {
    std::unique_lock lock(mutex_);
    return rung_.wait_for(lock, std::chrono::seconds(30), [&] { return rings_ >= rings; });
}

size_t FakeKernel::xrc_domains() const {
    const std::lock_guard lock(mutex_);
    std::set<uint64_t> inodes;
    for (const Context* context : contexts_) {
        for (const auto& [handle, object] : context->objects) {
            if (object.kind == Kind::kXrcd) {
                inodes.insert(object.inode);
            }
        }
    }
    return inodes.size();
}

size_t FakeKernel::busy_destructions() const {
    const std::lock_guard lock(mutex_);
    return busy_destructions_;
}

std::vector<std::byte> FakeKernel::pinned() const {
    const std::lock_guard lock(mutex_);
    return pinned_;
}

}  // namespace vrdma::uverbs
