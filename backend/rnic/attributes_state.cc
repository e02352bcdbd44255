// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/attributes_state.h"

#include <algorithm>
#include <cstdint>
#include <limits>

namespace vrdma::rnic {
namespace {

template <size_t kLength>
std::string to_bytes(const std::array<uint8_t, kLength>& address) {
    return {address.begin(), address.end()};
}

template <size_t kLength>
bool from_bytes(const std::string& bytes, std::array<uint8_t, kLength>& address) {
    if (bytes.size() != kLength) {
        return false;
    }
    std::ranges::transform(bytes, address.begin(),
                           [](char byte) { return static_cast<uint8_t>(byte); });
    return true;
}

// Takes numbers, of which each must fit the attribute that it becomes.
class Taker {
  public:
    template <typename T>
    void take(uint32_t number, T& attribute) {
        fits_ = fits_ && number <= std::numeric_limits<T>::max();
        attribute = static_cast<T>(number);
    }
    bool all_fit() const { return fits_; }

  private:
    bool fits_ = true;
};

}  // namespace

void save_path(const AhAttributes& attributes, state::Path& path) {
    path.set_dgid(to_bytes(attributes.dgid));
    path.set_flow_label(attributes.flow_label);
    path.set_sgid_index(attributes.sgid_index);
    path.set_hop_limit(attributes.hop_limit);
    path.set_traffic_class(attributes.traffic_class);
    path.set_sl(attributes.sl);
    path.set_port(attributes.port);
    path.set_static_rate(attributes.static_rate);
    path.set_dmac(to_bytes(attributes.dmac));
    path.set_dlid(attributes.dlid);
    path.set_src_path_bits(attributes.src_path_bits);
    path.set_has_grh(attributes.has_grh);
}

std::optional<AhAttributes> restore_path(const state::Path& path) {
    AhAttributes a;
    if (!from_bytes(path.dgid(), a.dgid) || !from_bytes(path.dmac(), a.dmac)) {
        return std::nullopt;
    }
    Taker taker;
    taker.take(path.flow_label(), a.flow_label);
    taker.take(path.sgid_index(), a.sgid_index);
    taker.take(path.hop_limit(), a.hop_limit);
    taker.take(path.traffic_class(), a.traffic_class);
    taker.take(path.sl(), a.sl);
    taker.take(path.port(), a.port);
    taker.take(path.static_rate(), a.static_rate);
    taker.take(path.dlid(), a.dlid);
    taker.take(path.src_path_bits(), a.src_path_bits);
    a.has_grh = path.has_grh();
    return taker.all_fit() ? std::optional(a) : std::nullopt;
}

void save_attributes(const QpAttributes& attributes, state::QpAttributes& saved) {
    saved.set_qp_state(attributes.qp_state);
    saved.set_cur_qp_state(attributes.cur_qp_state);
    saved.set_path_mtu(attributes.path_mtu);
    saved.set_path_mig_state(attributes.path_mig_state);
    saved.set_qkey(attributes.qkey);
    saved.set_rq_psn(attributes.rq_psn);
    saved.set_sq_psn(attributes.sq_psn);
    saved.set_dest_qp_num(attributes.dest_qp_num);
    saved.set_qp_access_flags(attributes.qp_access_flags);
    saved.set_pkey_index(attributes.pkey_index);
    saved.set_en_sqd_async_notify(attributes.en_sqd_async_notify);
    saved.set_sq_draining(attributes.sq_draining);
    saved.set_max_rd_atomic(attributes.max_rd_atomic);
    saved.set_max_dest_rd_atomic(attributes.max_dest_rd_atomic);
    saved.set_min_rnr_timer(attributes.min_rnr_timer);
    saved.set_port(attributes.port);
    saved.set_timeout(attributes.timeout);
    saved.set_retry_cnt(attributes.retry_cnt);
    saved.set_rnr_retry(attributes.rnr_retry);
    saved.set_rate_limit(attributes.rate_limit);
    save_path(attributes.ah, *saved.mutable_path());
    state::QpCapabilities& cap = *saved.mutable_cap();
    cap.set_max_send_wr(attributes.cap.max_send_wr);
    cap.set_max_recv_wr(attributes.cap.max_recv_wr);
    cap.set_max_send_sge(attributes.cap.max_send_sge);
    cap.set_max_recv_sge(attributes.cap.max_recv_sge);
    cap.set_max_inline_data(attributes.cap.max_inline_data);
}

std::optional<QpAttributes> restore_attributes(const state::QpAttributes& saved) {
    QpAttributes a;
    const auto path = restore_path(saved.path());
    if (!path) {
        return std::nullopt;
    }
    a.ah = *path;
    Taker taker;
    taker.take(saved.qp_state(), a.qp_state);
    taker.take(saved.cur_qp_state(), a.cur_qp_state);
    taker.take(saved.path_mtu(), a.path_mtu);
    taker.take(saved.path_mig_state(), a.path_mig_state);
    taker.take(saved.qkey(), a.qkey);
    taker.take(saved.rq_psn(), a.rq_psn);
    taker.take(saved.sq_psn(), a.sq_psn);
    taker.take(saved.dest_qp_num(), a.dest_qp_num);
    taker.take(saved.qp_access_flags(), a.qp_access_flags);
    taker.take(saved.pkey_index(), a.pkey_index);
    taker.take(saved.en_sqd_async_notify(), a.en_sqd_async_notify);
    taker.take(saved.sq_draining(), a.sq_draining);
    taker.take(saved.max_rd_atomic(), a.max_rd_atomic);
    taker.take(saved.max_dest_rd_atomic(), a.max_dest_rd_atomic);
    taker.take(saved.min_rnr_timer(), a.min_rnr_timer);
    taker.take(saved.port(), a.port);
    taker.take(saved.timeout(), a.timeout);
    taker.take(saved.retry_cnt(), a.retry_cnt);
    taker.take(saved.rnr_retry(), a.rnr_retry);
    taker.take(saved.rate_limit(), a.rate_limit);
    const state::QpCapabilities& cap = saved.cap();
    a.cap = {.max_send_wr = cap.max_send_wr(),
             .max_recv_wr = cap.max_recv_wr(),
             .max_send_sge = cap.max_send_sge(),
             .max_recv_sge = cap.max_recv_sge(),
             .max_inline_data = cap.max_inline_data()};
    return taker.all_fit() ? std::optional(a) : std::nullopt;
}

std::string save_gid(const Gid& gid) {
    return to_bytes(gid);
}

std::optional<Gid> restore_gid(const std::string& gid) {
    Gid restored;
    return from_bytes(gid, restored) ? std::optional(restored) : std::nullopt;
}

}  // namespace vrdma::rnic
