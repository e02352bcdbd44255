// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "machine.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <vrdma_kernel.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace vrdma::embedded::test {
namespace {

void must_save(const Result<void>& result) {
    if (!result) {
        throw std::runtime_error(to_string(result.error()));
    }
}

// Appends what `made` has, or answers its error.
template <typename T>
Result<void> append(Result<std::unique_ptr<T>> made, std::vector<std::unique_ptr<T>>& to) {
    if (!made) {
        return fail(made.error());
    }
    to.push_back(std::move(*made));
    return {};
}

template <typename Clients, typename Objects>
void take_objects(Clients& clients, Objects& to) {
    for (auto& client : clients) {
        to.push_back(std::move(client.object));
    }
}

template <typename Clients, typename Objects>
void give_objects(Clients& clients, Objects& from) {
    for (size_t i = 0; i < clients.size(); ++i) {
        clients[i].object = std::move(from[i]);
    }
}

FileDescriptor copy_of(int fd) {
    FileDescriptor copy(::memfd_create("copy", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    const off_t size = ::lseek(fd, 0, SEEK_END);
    std::vector<std::byte> bytes(static_cast<size_t>(size));
    if (::pread(fd, bytes.data(), bytes.size(), 0) != size ||
        ::pwrite(copy.get(), bytes.data(), bytes.size(), 0) != size ||
        ::fcntl(copy.get(), F_ADD_SEALS, F_SEAL_SHRINK) != 0) {
        throw std::runtime_error("copy of the rings");
    }
    return copy;
}

}  // namespace

Machine::Machine(rnic::Rnic& rnic, const std::string& name, uint8_t address)
    : guest(rnic, name, address), name_(name) {
    const auto memory = ram.as_guest_memory();
    guest.port->set_memory(memory);
    rnic::MrAttributes attributes;
    attributes.start = attributes.iova = {Guest::kIova};
    attributes.access = kAccess;
    attributes.length = uint64_t{2} * kHalf;
    for (uint64_t& half : halves_) {
        half = ram.allocate(kHalf, 4096);
        ram.allocate(4096);
        attributes.pieces.push_back(memory->pin({half}, kHalf).value());
    }
    rnic::Udata udata;
    mrs.emplace_back();
    mr().object = std::move(guest.context->reg_mr(guest.pd(), attributes, udata).value());
    mr().iova = Guest::kIova;
    add_cq();
    add_cq();
}

ClientCq& Machine::add_cq(uint32_t cqe, uint32_t comp_vector) {
    return cqs.emplace_back(guest.make_cq(cqe, comp_vector));
}

ClientQp& Machine::add_qp(const QpOptions& options, ClientSrq* srq, ClientCq* recv_cq) {
    ClientCq& receives = recv_cq != nullptr ? *recv_cq : this->recv_cq();
    parents_.push_back(
        {.recv_cq = receives.handle, .srq = srq != nullptr ? static_cast<int>(srq->handle) : -1});
    return qps.emplace_back(guest.make_qp(send_cq(), receives, options, srq));
}

void Machine::drop_qp() {
    qps.pop_back();
    parents_.pop_back();
}

ClientSrq& Machine::add_srq(uint32_t max_wr, uint32_t max_sge) {
    return srqs.emplace_back(guest.make_srq(max_wr, max_sge));
}

ClientAh& Machine::add_ah(const rnic::Gid& to) {
    return ahs.emplace_back(guest.make_ah(to));
}

rnic::MemoryWindow& Machine::add_mw(uint8_t type) {
    rnic::Udata udata;
    return *mws.emplace_back(std::move(guest.context->alloc_mw(guest.pd(), type, udata).value()));
}

ClientMr& Machine::add_dma_mr() {
    return mrs.emplace_back(guest.get_dma_mr(kAllAccess, 0));
}

ClientMr& Machine::add_fast_mr(uint32_t max_pages, uint64_t& description) {
    const uint64_t size = sizeof(vrdma_fast_reg) + max_pages * sizeof(uint64_t);
    description = ram.allocate(size);
    rnic::FastMrAttributes attributes{.max_pages = max_pages, .description = {}};
    attributes.description.push_back(ram.as_guest_memory()->pin({description}, size).value());
    mrs.emplace_back();
    mrs.back().object =
        std::move(guest.context->alloc_mr(guest.pd(), std::move(attributes)).value());
    return mrs.back();
}

void Machine::fill(uint32_t offset, const std::vector<std::byte>& bytes) {
    for (size_t i = 0; i < bytes.size(); ++i, ++offset) {
        *ram.host(halves_.at(offset / kHalf) + offset % kHalf) = bytes[i];
    }
}

std::vector<std::byte> Machine::bytes(uint32_t offset, uint32_t length) const {
    std::vector<std::byte> bytes(length);
    for (std::byte& byte : bytes) {
        byte = *ram.host(halves_.at(offset / kHalf) + offset % kHalf);
        ++offset;
    }
    return bytes;
}

Arrived Machine::save() const {
    state::Session session;
    state::FilesToSend files;
    must_save(guest.port->save(*session.mutable_port(), files));
    must_save(guest.context->save(*session.add_contexts(), files));
    must_save(guest.pd().save(*session.add_pds()));
    for (const ClientMr& mr : mrs) {
        must_save(mr.object->save(*session.add_mrs()));
    }
    for (const ClientAh& ah : ahs) {
        must_save(ah.object->save(*session.add_ahs()));
    }
    for (const ClientCq& cq : cqs) {
        must_save(cq.object->save(*session.add_cqs()));
    }
    for (const ClientSrq& srq : srqs) {
        must_save(srq.object->save(*session.add_srqs()));
    }
    for (size_t i = 0; i < qps.size(); ++i) {
        state::Qp& saved = *session.add_qps();
        must_save(qps[i].object->save(saved));
        saved.set_send_cq(cqs.front().handle);
        saved.set_recv_cq(parents_[i].recv_cq);
        if (parents_[i].srq >= 0) {
            saved.set_srq(static_cast<uint32_t>(parents_[i].srq));
        }
    }
    for (const auto& mw : mws) {
        must_save(mw->save(*session.add_mws()));
    }
    Arrived arrived;
    arrived.session.ParseFromString(session.SerializeAsString());
    for (const int fd : files.all()) {
        arrived.files.emplace_back(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
    }
    return arrived;
}

Arrived Machine::save_copy() const {
    Arrived arrived = save();
    for (FileDescriptor& file : arrived.files) {
        file = copy_of(file.get());
    }
    return arrived;
}

Result<Estate> Machine::restore(rnic::Rnic& rnic, Arrived arrived) {
    const state::Session& session = arrived.session;
    // The device finds out, by the handles.
    if (session.contexts_size() != 1 || session.pds_size() != 1 ||
        static_cast<size_t>(session.cqs_size()) < cqs.size() ||
        static_cast<size_t>(session.srqs_size()) < srqs.size() ||
        static_cast<size_t>(session.qps_size()) > qps.size()) {
        return fail(EINVAL);
    }
    state::ReceivedFiles files(std::move(arrived.files));
    // The successor has the RAM elsewhere.
    const auto memory = ram.as_guest_memory();
    Estate estate;
    estate.port = std::move(rnic.open_port(name_, guest.sink).value());
    estate.port->set_memory(memory);
    Result<void> done = estate.port->restore(session.port(), files);
    if (!done) {
        return fail(done.error());
    }
    auto context = estate.port->restore_context(session.contexts(0), files);
    if (!context) {
        return fail(context.error());
    }
    estate.context = std::move(*context);
    auto pd = estate.context->restore_pd(session.pds(0));
    if (!pd) {
        return fail(pd.error());
    }
    estate.pd = std::move(*pd);
    for (const auto& mr : session.mrs()) {
        done =
            done ? append(estate.context->restore_mr(*estate.pd, mr, *memory), estate.mrs) : done;
    }
    for (const auto& ah : session.ahs()) {
        done = done ? append(estate.context->restore_ah(*estate.pd, ah), estate.ahs) : done;
    }
    for (const auto& cq : session.cqs()) {
        done = done ? append(estate.context->restore_cq(cq), estate.cqs) : done;
    }
    for (const auto& srq : session.srqs()) {
        done = done ? append(estate.context->restore_srq(*estate.pd, srq), estate.srqs) : done;
    }
    for (int i = 0; done && i < session.qps_size(); ++i) {
        const Parents& parents = parents_.at(static_cast<size_t>(i));
        rnic::Context::QpInit pointers;
        pointers.pd = estate.pd.get();
        pointers.send_cq = estate.cqs.front().get();
        for (size_t n = 0; n < cqs.size(); ++n) {
            if (cqs[n].handle == parents.recv_cq) {
                pointers.recv_cq = estate.cqs[n].get();
            }
        }
        for (size_t n = 0; n < srqs.size(); ++n) {
            if (static_cast<int>(srqs[n].handle) == parents.srq) {
                pointers.srq = estate.srqs[n].get();
            }
        }
        done = append(estate.context->restore_qp(pointers, session.qps(i)), estate.qps);
    }
    for (const auto& mw : session.mws()) {
        done = done ? append(estate.context->restore_mw(*estate.pd, mw), estate.mws) : done;
    }
    if (!done) {
        return fail(done.error());
    }
    estate.port->set_doorbells(guest.area.get(), -1);
    return estate;
}

Estate Machine::take_all() {
    Estate all;
    all.port = std::move(guest.port);
    all.context = std::move(guest.context);
    all.pd = guest.exchange_pd(nullptr);
    take_objects(mrs, all.mrs);
    take_objects(cqs, all.cqs);
    take_objects(srqs, all.srqs);
    take_objects(ahs, all.ahs);
    take_objects(qps, all.qps);
    std::ranges::move(mws, std::back_inserter(all.mws));
    return all;
}

void Machine::use(Estate estate) {
    formers.push_back(take_all());
    guest.port = std::move(estate.port);
    guest.context = std::move(estate.context);
    guest.exchange_pd(std::move(estate.pd));
    give_objects(mrs, estate.mrs);
    give_objects(cqs, estate.cqs);
    give_objects(srqs, estate.srqs);
    give_objects(ahs, estate.ahs);
    give_objects(qps, estate.qps);
    std::ranges::move(estate.mws, mws.begin());
}

std::unique_ptr<EmbeddedRnic> HandOver::make_rnic() const {
    EmbeddedConfig config;
    config.threads = 0;
    config.clock = clock;
    return make_embedded_rnic(config, vrdma::test::silent_logger());
}

void HandOver::hand_over(const std::vector<Machine*>& machines, const OnTheWay& on_the_way) {
    // The former RNIC never goes on: its objects go with the guests.
    pauses_.push_back(rnic->pause());
    std::vector<Arrived> arrived;
    arrived.reserve(machines.size());
    for (Machine* machine : machines) {
        arrived.push_back(machine->save());
        on_the_way(*machine, arrived.back());
    }
    rnic = make_rnic();
    const auto pause = rnic->pause();
    for (size_t i = 0; i < machines.size(); ++i) {
        auto estate = machines[i]->restore(*rnic, std::move(arrived[i]));
        ASSERT_TRUE(estate) << to_string(estate.error());
        machines[i]->use(std::move(*estate));
    }
}

}  // namespace vrdma::embedded::test
