// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include "rnic/embedded/contexts/qp_context.h"

namespace vrdma::embedded {

// The queue pairs of one worker that have something to do, in the order of their turns. The list
// goes through the queue pairs themselves.
class ActiveList {
  public:
    bool empty() const { return first_ == nullptr; }
    static bool contains(const QpContext& qp) { return qp.active_; }

    void push(QpContext& qp) {
        if (qp.active_) {
            return;
        }
        qp.active_ = true;
        qp.next_active_ = nullptr;
        (first_ == nullptr ? first_ : last_->next_active_) = &qp;
        last_ = &qp;
    }
    // The list must not be empty.
    QpContext& pop() {
        QpContext& qp = *first_;
        first_ = qp.next_active_;
        qp.active_ = false;
        return qp;
    }
    void remove(QpContext& qp) {
        if (!qp.active_) {
            return;
        }
        QpContext** link = &first_;
        QpContext* previous = nullptr;
        while (*link != &qp) {
            previous = *link;
            link = &previous->next_active_;
        }
        *link = qp.next_active_;
        if (last_ == &qp) {
            last_ = previous;
        }
        qp.active_ = false;
    }

  private:
    QpContext* first_ = nullptr;
    QpContext* last_ = nullptr;
};

}  // namespace vrdma::embedded
