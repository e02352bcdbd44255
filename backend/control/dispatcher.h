// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <spdlog/logger.h>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "control/method.h"

namespace vrdma::control {

// Answers requests of JSON-RPC 2.0, one document a line.  Whatever is in a line, it gets an answer
// and harms nobody.
class Dispatcher {
  public:
    static constexpr unsigned kMaxDepth = 16;  // of arrays and objects within each other
    static constexpr size_t kMaxBatch = 16;    // requests
    static constexpr size_t kMaxBatchAnswer = size_t{1} << 20;  // bytes, before the last one

    // `administrators` says who they are, for the error of a reader.  The logger hears of methods
    // that fail.
    Dispatcher(std::vector<Method> methods, std::string administrators,
               std::shared_ptr<spdlog::logger> logger);

    // The answer to one line, without an end of line; empty for notifications.
    std::string answer(std::string_view line, Session& session) const;

    const std::vector<Method>& methods() const { return methods_; }

  private:
    nlohmann::json answer_document(const nlohmann::json& document, Session& session) const;
    nlohmann::json answer_batch(const nlohmann::json& batch, Session& session) const;
    nlohmann::json answer_one(const nlohmann::json& request, Session& session) const;
    Answer call(const nlohmann::json& request, Session& session) const;

    const std::vector<Method> methods_;
    const std::string administrators_;
    const std::shared_ptr<spdlog::logger> logger_;
};

// One line of JSON.  Names of the operator's may have bytes that are no UTF-8; they are replaced.
std::string to_line(const nlohmann::json& document);

// The answer to a request whose id is unknown.
nlohmann::json error_document(const Error& error, const nlohmann::json& id = nullptr);

}  // namespace vrdma::control
