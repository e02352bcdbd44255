// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/uverbs/ucma/ucma_port.h"

#include <rdma/ib_user_ioctl_verbs.h>

#include <algorithm>
#include <system_error>
#include <utility>

#include "rnic/uverbs/cm_writer/written_file.h"
#include "rnic/uverbs/ucma/ucma_file.h"
#include "state/uverbs.pb.h"

namespace vrdma::uverbs {

UcmaPort::UcmaPort(Place place, OpenRdmaCm open, std::shared_ptr<spdlog::logger> logger)
    : place_(std::move(place)), open_(std::move(open)), log_(std::move(logger)) {}

Result<void> UcmaPort::start_watch() {
    if (watch_ == nullptr) {
        try {
            watch_ = std::make_unique<ReadyWatch>([this](uint32_t file) {
                place_.sink.async_event(rnic::AsyncEventType::kUcma, file);
            });
        } catch (const std::system_error& error) {
            return fail(error.code().value());
        }
    }
    return {};
}

Result<std::unique_ptr<rnic::UcmaFile>> UcmaPort::open(const rnic::UcmaFileInit& init) {
    auto host = open_();
    if (!host) {
        log_.warn("{}: /dev/infiniband/rdma_cm cannot be opened: {}{}", guest(),
                  to_string(host.error()),
                  host.error() == Errno{EPIPE} || host.error() == Errno{EIO}
                      ? "; vrdmad's process for connections (vrdma-cm-writer) has ended: restart "
                        "vrdmad"
                      : "");
        return fail(host.error());
    }
    if (auto started = start_watch(); !started) {
        return fail(started.error());
    }
    if (auto added = watch_->add((*host)->fd(), init.handle); !added) {
        return fail(added.error());
    }
    return std::make_unique<UcmaFile>(*this, std::move(*host), init);
}

Result<std::unique_ptr<rnic::UcmaFile>> UcmaPort::restore(const rnic::UcmaFileInit& init,
                                                          const state::UverbsUcmaFile& saved,
                                                          state::ReceivedFiles& files) {
    if (auto started = start_watch(); !started) {
        return fail(started.error());
    }
    auto host = WrittenFile::restore(saved, files);
    if (!host) {
        return fail(host.error());
    }
    const int fd = (*host)->fd();
    auto file = std::make_unique<UcmaFile>(*this, std::move(*host), init);
    const auto begin = saved.reported() ? ReadyWatch::Begin::kReported : ReadyWatch::Begin::kArmed;
    if (auto added = watch_->add(fd, init.handle, begin); !added) {
        return fail(added.error());
    }
    if (auto restored = file->restore(saved); !restored) {
        return fail(restored.error());
    }
    return file;
}

UcmaId& UcmaPort::insert(uint32_t id, UcmaId what) {
    return ids_.insert_or_assign(id, std::move(what)).first->second;
}

UcmaId* UcmaPort::find(uint32_t id) {
    const auto found = ids_.find(id);
    return found == ids_.end() ? nullptr : &found->second;
}

Result<UcmaId*> UcmaPort::find(const UcmaFile& file, uint32_t id) {
    UcmaId* found = find(id);
    if (found == nullptr) {
        return fail(ENOENT);
    }
    if (found->file != &file) {
        return fail(EINVAL);
    }
    return found;
}

void UcmaPort::erase(uint32_t id) {
    const auto found = ids_.find(id);
    if (found == ids_.end()) {
        return;
    }
    subjects_.erase(found->second.key);
    std::erase_if(groups_, [&](const auto& entry) {
        const bool mine = entry.second.id == id;
        if (mine) {
            subjects_.erase(entry.second.key);
        }
        return mine;
    });
    ids_.erase(found);
}

void UcmaPort::erase_all(const UcmaFile& file) {
    std::vector<uint32_t> gone;
    for (const auto& [id, what] : ids_) {
        if (what.file == &file) {
            gone.push_back(id);
        }
    }
    for (const uint32_t id : gone) {
        erase(id);
    }
}

uint64_t UcmaPort::new_key(Subject subject) {
    subjects_[next_key_] = subject;
    return next_key_++;
}

const UcmaPort::Subject* UcmaPort::subject(uint64_t key) const {
    const auto found = subjects_.find(key);
    return found == subjects_.end() ? nullptr : &found->second;
}

Result<void> UcmaPort::check_room_for_group() const {
    return groups_.size() >= kMaxGroups ? Result<void>(fail(EDQUOT)) : Result<void>();
}

const UcmaPort::Group* UcmaPort::find_group(uint32_t group) const {
    const auto found = groups_.find(group);
    return found == groups_.end() ? nullptr : &found->second;
}

void UcmaPort::erase_group(uint32_t group) {
    if (const auto found = groups_.find(group); found != groups_.end()) {
        subjects_.erase(found->second.key);
        groups_.erase(found);
    }
}

Result<void> UcmaPort::check_qp(const UcmaId& id, uint32_t qp_num) const {
    const auto type = place_.qps.type_of(qp_num);
    if (!type || (*type == rnic::QpType::kUd) != (id.qp_type == rnic::QpType::kUd)) {
        return fail(EINVAL);
    }
    return {};
}

Result<std::vector<ListenPlace>> UcmaPort::places_for(const SocketAddress& local, bool ipv6_only) {
    auto places = listen_places(place_.addresses, local, ipv6_only);
    if (places.empty()) {
        return fail(EADDRNOTAVAIL);
    }
    return places;
}

void UcmaPort::follow_addresses() {
    for (auto& [id, what] : ids_) {
        if (what.backlog) {
            what.file->follow_addresses(what);
        }
    }
}

Result<void> UcmaPort::check_port(const ListenPlace& place, uint16_t port) {
    if (port != 0 && is_hosts_port(place, port)) {
        log_.warn(
            "{}: the guest cannot have port {} of {}, which is the host's too; give the machine an "
            "address of its own ('mac' in its [[vm]], 'announce' in [rnic])",
            guest(), port, to_string(place.underlay));
        return fail(EACCES);
    }
    return {};
}

SocketAddress UcmaPort::in_underlay(const rnic::Gid& underlay, uint16_t port) const {
    const bool link_local = scope_of(underlay) == GidScope::kIpv6LinkLocal;
    return socket_address(underlay, port, link_local ? place_.addresses.netdev_index(underlay) : 0);
}

}  // namespace vrdma::uverbs
