// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "control/dispatcher.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <utility>

namespace vrdma::control {
namespace {

using nlohmann::json;

// The library reads any depth; what walks through a document afterwards calls itself.
bool is_deeper_than(std::string_view text, unsigned limit) {
    unsigned depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (in_string) {
            if (c == '\\') {
                ++i;
            } else if (c == '"') {
                in_string = false;
            }
        } else if (c == '"') {
            in_string = true;
        } else if (c == '[' || c == '{') {
            if (++depth > limit) {
                return true;
            }
        } else if ((c == ']' || c == '}') && depth > 0) {
            --depth;
        }
    }
    return false;
}

bool has_type(const json& value, Type type) {
    switch (type) {
        case Type::kString:
            return value.is_string();
        case Type::kBoolean:
            return value.is_boolean();
        default:
            return value.is_object();
    }
}

// What a client wrote, short enough for a message.
std::string quoted(const std::string& text) {
    constexpr size_t kLongest = 64;
    return "'" + (text.size() <= kLongest ? text : text.substr(0, kLongest) + "...") + "'";
}

std::string names_of(const std::vector<Parameter>& parameters) {
    std::string names;
    for (const Parameter& parameter : parameters) {
        names += fmt::format("{}{}", names.empty() ? "" : ", ", parameter.name);
    }
    return names.empty() ? "none" : names;
}

tl::expected<void, Error> check_parameters(const Method& method, const json& given) {
    if (!given.is_object()) {
        return refuse(kInvalidParameters, "'params' must be an object: parameters have names");
    }
    for (const auto& [name, value] : given.items()) {
        const auto known = std::ranges::find(method.parameters, name, &Parameter::name);
        if (known == method.parameters.end()) {
            return refuse(kInvalidParameters,
                          fmt::format("'{}' has no parameter {}; it has {}", method.name,
                                      quoted(name), names_of(method.parameters)));
        }
        if (!has_type(value, known->type)) {
            return refuse(kInvalidParameters, fmt::format("'{}' of '{}' is of the type {}", name,
                                                          method.name, to_string(known->type)));
        }
    }
    for (const Parameter& parameter : method.parameters) {
        if (parameter.required && !given.contains(parameter.name)) {
            return refuse(kInvalidParameters, fmt::format("'{}' needs the parameter '{}'",
                                                          method.name, parameter.name));
        }
    }
    return {};
}

bool is_id(const json& value) {
    return value.is_string() || value.is_number() || value.is_null();
}

}  // namespace

std::string to_line(const json& document) {
    return document.dump(-1, ' ', false, json::error_handler_t::replace);
}

json error_document(const Error& error, const json& id) {
    json document{{"jsonrpc", "2.0"},
                  {"id", id},
                  {"error", {{"code", static_cast<int>(error.code)}, {"message", error.message}}}};
    if (!error.data.is_null()) {
        document["error"]["data"] = error.data;
    }
    return document;
}

Dispatcher::Dispatcher(std::vector<Method> methods, std::string administrators,
                       std::shared_ptr<spdlog::logger> logger)
    : methods_(std::move(methods)),
      administrators_(std::move(administrators)),
      logger_(std::move(logger)) {}

std::string Dispatcher::answer(std::string_view line, Session& session) const {
    if (is_deeper_than(line, kMaxDepth)) {
        return to_line(error_document(
            {kInvalidRequest,
             fmt::format("the request has more than {} arrays and objects within each other",
                         kMaxDepth)}));
    }
    const json document = json::parse(line, nullptr, false);
    if (document.is_discarded()) {
        return to_line(error_document(
            {kParseError, "the line is no JSON document in UTF-8; write one request a line"}));
    }
    const json answer = answer_document(document, session);
    return answer.is_null() ? "" : to_line(answer);
}

json Dispatcher::answer_document(const json& document, Session& session) const {
    return document.is_array() ? answer_batch(document, session) : answer_one(document, session);
}

// JSON-RPC 2.0, 6.
json Dispatcher::answer_batch(const json& batch, Session& session) const {
    if (batch.empty() || batch.size() > kMaxBatch) {
        return error_document({kInvalidRequest, fmt::format("a batch has 1 to {} requests, and "
                                                            "this one has {}",
                                                            kMaxBatch, batch.size())});
    }
    json answers = json::array();
    size_t size = 0;
    for (const json& request : batch) {
        json answer =
            size < kMaxBatchAnswer
                ? answer_one(request, session)
                : error_document({kInvalidRequest,
                                  fmt::format("the answers to this batch are longer than {} bytes; "
                                              "send the other requests by themselves",
                                              kMaxBatchAnswer)});
        if (!answer.is_null()) {
            size += to_line(answer).size();
            answers.push_back(std::move(answer));
        }
    }
    return answers.empty() ? json() : answers;
}

// Null for a notification.
json Dispatcher::answer_one(const json& request, Session& session) const {
    if (!request.is_object()) {
        return error_document({kInvalidRequest, "a request is an object"});
    }
    const auto id = request.find("id");
    if (id != request.end() && !is_id(*id)) {
        return error_document({kInvalidRequest, "'id' is a string, a number or null"});
    }
    const auto version = request.find("jsonrpc");
    const auto method = request.find("method");
    if (version == request.end() || *version != "2.0" || method == request.end() ||
        !method->is_string()) {
        return error_document(
            {kInvalidRequest, "a request has 'jsonrpc', which is \"2.0\", and 'method', a string"},
            id == request.end() ? json() : *id);
    }
    const Answer answer = call(request, session);
    if (id == request.end()) {
        return {};
    }
    if (!answer) {
        return error_document(answer.error(), *id);
    }
    return {{"jsonrpc", "2.0"}, {"id", *id}, {"result", *answer}};
}

Answer Dispatcher::call(const json& request, Session& session) const {
    const auto& name = request.at("method").get_ref<const std::string&>();
    const auto method = std::ranges::find(methods_, name, &Method::name);
    if (method == methods_.end()) {
        std::string names;
        for (const Method& known : methods_) {
            names += fmt::format("{}{}", names.empty() ? "" : ", ", known.name);
        }
        return refuse(kUnknownMethod,
                      fmt::format("there is no method {}; there are {}", quoted(name), names));
    }
    if (method->access == Access::kAdministrator && session.access != Access::kAdministrator) {
        return refuse(
            kNotPermitted,
            fmt::format("'{}' is for administrators, {}; this client is a reader", name,
                        administrators_),
            {{"needed", to_string(Access::kAdministrator)}, {"access", to_string(session.access)}});
    }
    const json parameters = request.value("params", json::object());
    if (auto checked = check_parameters(*method, parameters); !checked) {
        return tl::unexpected(std::move(checked.error()));
    }
    try {
        return method->handler(parameters, session);
    } catch (const std::exception& error) {
        logger_->error("control: '{}' has failed: {}", name, error.what());
        return refuse(kInternalError, fmt::format("'{}' has failed; vrdmad's log says how", name));
    }
}

}  // namespace vrdma::control
