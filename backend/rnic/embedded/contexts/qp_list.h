// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

namespace vrdma::embedded {

class QpContext;  // known here by its address only

// A queue pair's place in one list.
class QpLink {
  public:
    explicit QpLink(QpContext& qp) : qp_(qp) {}
    QpLink(const QpLink&) = delete;
    QpLink& operator=(const QpLink&) = delete;

    bool linked() const { return linked_; }

  private:
    friend class QpList;
    QpContext& qp_;
    QpLink* previous_ = nullptr;
    QpLink* next_ = nullptr;
    bool linked_ = false;
};

// Queue pairs in the order of their turns, each of them once. The list goes through the queue pairs
// themselves, so that nothing takes longer with more of them.
class QpList {
  public:
    bool empty() const { return first_ == nullptr; }

    void push(QpLink& qp) {
        if (qp.linked_) {
            return;
        }
        qp.linked_ = true;
        qp.next_ = nullptr;
        qp.previous_ = last_;
        (first_ == nullptr ? first_ : last_->next_) = &qp;
        last_ = &qp;
    }
    // The list must not be empty.
    QpContext& pop() {
        QpLink& qp = *first_;
        first_ = qp.next_;
        (first_ == nullptr ? last_ : first_->previous_) = nullptr;
        qp.linked_ = false;
        return qp.qp_;
    }
    void remove(QpLink& qp) {
        if (!qp.linked_) {
            return;
        }
        (qp.previous_ == nullptr ? first_ : qp.previous_->next_) = qp.next_;
        (qp.next_ == nullptr ? last_ : qp.next_->previous_) = qp.previous_;
        qp.linked_ = false;
    }

  private:
    QpLink* first_ = nullptr;
    QpLink* last_ = nullptr;
};

}  // namespace vrdma::embedded
