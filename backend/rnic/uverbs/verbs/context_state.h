// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "rnic/uverbs/kernel/uverbs.h"
#include "rnic/uverbs/vendors/udata_translation.h"
#include "rnic/uverbs/verbs/port_state.h"

namespace vrdma::uverbs {

// What the objects of one guest user context share: its uverbs file, and how a verb goes
// through it.
struct ContextState {
    PortState& port;
    const std::shared_ptr<UverbsFile> file;

    // ENODEV once the RNIC is being removed.
    Result<void> usable() const;

    // The guest's private bytes for the kernel; says in the log why not.
    Result<UdataTranslation> translate(uint16_t opcode, rnic::Udata& udata) const;

    // Has the kernel execute the command behind a verb that answers with `Response`.
    template <CommandStruct Request, CommandStruct Response>
    Result<void> execute(uint16_t opcode, ib_uverbs_write_cmds command, const Request& request,
                         Response& response, rnic::Udata& udata) const {
        return with_udata(opcode, udata, [&](CommandUdata bytes) {
            return uverbs::execute(*file, {command, request, response}, bytes);
        });
    }

    // The same, of a command without an answer.
    template <CommandStruct Request>
    Result<void> execute(uint16_t opcode, ib_uverbs_write_cmds command, const Request& request,
                         rnic::Udata& udata) const {
        return with_udata(opcode, udata, [&](CommandUdata bytes) {
            return uverbs::execute(*file, {command, request}, bytes);
        });
    }

    // Calls `command` with the private bytes as the kernel may see them.
    template <typename Command>
    Result<void> with_udata(uint16_t opcode, rnic::Udata& udata, const Command& command) const {
        if (auto there = usable(); !there) {
            return there;
        }
        auto translation = translate(opcode, udata);
        if (!translation) {
            return fail(translation.error());
        }
        auto executed = command(translation->command_udata());
        if (executed) {
            translation->answered();
        }
        return executed;
    }
};

// An object that the kernel made for a guest.  Destroys it with itself.
class KernelObject {
  public:
    using Destroy = Result<void> (*)(UverbsFile& file, uint32_t handle);

    // `kind` is named in the log.
    KernelObject(const ContextState& context, uint32_t handle, std::string_view kind,
                 Destroy destroy, LiveObjects::Counter& counter)
        : context_(context), handle_(handle), kind_(kind), destroy_(destroy), count_(counter) {}
    ~KernelObject();
    KernelObject(const KernelObject&) = delete;
    KernelObject& operator=(const KernelObject&) = delete;

    const ContextState& context() const { return context_; }
    uint32_t handle() const { return handle_; }  // the kernel's

    // Destroys it now, for a verb that may fail.
    Result<void> destroy();

  private:
    const ContextState& context_;
    const uint32_t handle_;
    const std::string_view kind_;
    const Destroy destroy_;
    bool destroyed_ = false;
    const LiveCount count_;
};

}  // namespace vrdma::uverbs
