// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// The vocabulary of the control socket: errors, and what a method is.  docs/control.md has it for
// clients.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

namespace vrdma::control {

// The version of the methods and their results.  It changes when a client that knows the one
// before would misunderstand something; new methods, keys and events leave it as it is.
inline constexpr unsigned kProtocolVersion = 1;

// X(name, code, what): the errors.  Those from -32768 to -32000 are JSON-RPC 2.0's, 5.1; the
// specification leaves -32099 to -32000 to the server.
#define VRDMA_CONTROL_ERRORS(X)                                                        \
    X(kParseError, -32700, "the line is no JSON document")                             \
    X(kInvalidRequest, -32600, "the document is no request, or too large or too deep") \
    X(kUnknownMethod, -32601, "there is no such method")                               \
    X(kInvalidParameters, -32602, "the method does not take these parameters")         \
    X(kInternalError, -32603, "the daemon failed; its log says how")                   \
    X(kNotPermitted, -32001, "the client may not do this")                             \
    X(kUnknownGuest, -32002, "no guest has this name")                                 \
    X(kRefused, -32003, "the daemon cannot do this; nothing has changed")              \
    X(kTooManyClients, -32004, "the daemon serves as many clients as it can")

enum ErrorCode : int {
#define VRDMA_ROW(name, code, what) name = (code),
    VRDMA_CONTROL_ERRORS(VRDMA_ROW)
#undef VRDMA_ROW
};

// Why a request has no result.
struct Error {
    ErrorCode code;
    std::string message;       // for people: a sentence that says what to do
    nlohmann::json data = {};  // for programs; null for none
};

using Answer = tl::expected<nlohmann::json, Error>;

inline tl::unexpected<Error> refuse(ErrorCode code, std::string message, nlohmann::json data = {}) {
    return tl::unexpected(Error{code, std::move(message), std::move(data)});
}

// What a client may do.  An administrator may do what a reader may.
enum class Access { kReader, kAdministrator };

constexpr std::string_view to_string(Access access) {
    return access == Access::kReader ? "reader" : "administrator";
}

// One client, as the methods see it.
struct Session {
    Access access = Access::kReader;
    bool follows = false;  // it gets the events
};

enum class Type { kString, kBoolean, kObject };

constexpr std::string_view to_string(Type type) {
    return type == Type::kString ? "string" : type == Type::kBoolean ? "boolean" : "object";
}

struct Parameter {
    std::string_view name;
    Type type;
    bool required = false;
};

// One method: everything that the dispatcher, the tests and the documents know of it.
struct Method {
    std::string_view name;
    Access access;  // who may call it
    std::vector<Parameter> parameters;
    // `parameters` is an object that has nothing but the parameters above, each of its type, and
    // the required ones among them.
    std::function<Answer(const nlohmann::json& parameters, Session& session)> handler;
};

}  // namespace vrdma::control
